/** The event of one token as the stub writes it and the clients read it: with the moment of its sending, and its number. */

/** Each of a constant width, so that both are found and written by their places. */
export const secondsDigits = 9
export const nanosecondsDigits = 9
export const numberDigits = 7

export const tokenHead = Buffer.from(
  'data: {"id":"c-1","object":"chat.completion.chunk","model":"bench-model","choices":[{"index":0,"delta":{"content":"',
)
const tokenEnd = '"},"finish_reason":null}]}\n\n'
const stampBytes = secondsDigits + nanosecondsDigits + 1 + numberDigits

/** What must be in it anyway. */
export const eventBytesMin = tokenHead.length + stampBytes + tokenEnd.length

/** Of the stamp and of the number, from the first byte of the event. */
export const secondsAt = tokenHead.length
export const nanosecondsAt = secondsAt + secondsDigits
export const numberAt = nanosecondsAt + nanosecondsDigits + 1
export const tailAt = numberAt + numberDigits

/** Its stamp and number are still zeros. */
export function tokenEventOf(bytes: number): Buffer {
  const filler = ' word'.repeat(Math.ceil(Math.max(0, bytes - eventBytesMin) / 5)).slice(0, bytes - eventBytesMin)
  const stamp = `${'0'.repeat(secondsDigits + nanosecondsDigits)} ${'0'.repeat(numberDigits)}`
  return Buffer.concat([tokenHead, Buffer.from(stamp + (bytes > eventBytesMin ? filler : '') + tokenEnd)])
}

const zero = 48

/** The clock of every process on this machine, in ns; exact to 2 ns after a hundred days. */
export function nowNs(): number {
  return Number(process.hrtime.bigint())
}

export function writeStamp(bytes: Buffer, eventAt: number, ns: number): void {
  const seconds = Math.floor(ns / 1e9)
  writeDigits(bytes, eventAt + secondsAt, secondsDigits, seconds)
  writeDigits(bytes, eventAt + nanosecondsAt, nanosecondsDigits, ns - seconds * 1e9)
}

export function writeNumber(bytes: Buffer, eventAt: number, number: number): void {
  writeDigits(bytes, eventAt + numberAt, numberDigits, number)
}

/** In ns. */
export function stampIn(bytes: Buffer, eventAt: number): number {
  const seconds = digitsIn(bytes, eventAt + secondsAt, secondsDigits)
  return seconds * 1e9 + digitsIn(bytes, eventAt + nanosecondsAt, nanosecondsDigits)
}

export function numberIn(bytes: Buffer, eventAt: number): number {
  return digitsIn(bytes, eventAt + numberAt, numberDigits)
}

function writeDigits(bytes: Buffer, at: number, digits: number, value: number): void {
  let rest = value
  for (let place = at + digits - 1; place >= at; place--) {
    const tens = Math.floor(rest / 10)
    bytes[place] = zero + rest - tens * 10
    rest = tens
  }
}

function digitsIn(bytes: Buffer, at: number, digits: number): number {
  let value = 0
  for (let place = at; place < at + digits; place++) value = value * 10 + bytes[place]! - zero
  return value
}
