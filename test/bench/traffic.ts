/** What both ends of the benchmark know of its traffic. */

export const benchModel = 'bench-model'
/** Between two tokens of one stream. */
export const frameEveryMs = 10
