/** What both ends of the benchmark know of its traffic. */

export const benchModel = 'bench-model'
