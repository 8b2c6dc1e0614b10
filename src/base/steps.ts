/** Work that may be long, cut into steps: whoever takes them may let others have their turn of the event loop in between. */
export type Steps<Result = void> = Generator<void, Result>

export function allAtOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
