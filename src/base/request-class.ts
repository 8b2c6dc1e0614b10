/** How urgent a request is, the most urgent first: a person waits, nobody said, or it may take the night. */

export const requestClasses = ['interactive', 'default', 'bulk'] as const
export type RequestClass = (typeof requestClasses)[number]

/** The less urgent of the two. */
export function cappedClass(wanted: RequestClass, most: RequestClass): RequestClass {
  return requestClasses.indexOf(wanted) < requestClasses.indexOf(most) ? most : wanted
}
