/** Whether the terminal that a program was started from was closed: what else sends SIGHUP leaves it open. */
import { closeSync, openSync } from 'node:fs'

interface Stream {
  readonly isTTY?: boolean
}

/** Of a program that has none of its streams on a terminal nobody closes it: not of a service, nor behind nohup. */
export function watchTerminal(streams: readonly Stream[], open: () => void = openTerminal): () => boolean {
  const hadOne = streams.some(({ isTTY }) => isTTY === true)
  return () => hadOne && !opens(open)
}

function opens(open: () => void): boolean {
  try {
    open()
    return true
  } catch {
    return false
  }
}

/** Fails for a process without a terminal, which one is whose was closed. */
function openTerminal(): void {
  closeSync(openSync('/dev/tty', 'r'))
}
