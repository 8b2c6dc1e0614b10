/** A connection whose reader waits, takes a piece, then pauses: the other side sees a full window, and nothing that was sent is lost. */
import { connect } from 'node:net'
import { Duplex } from 'node:stream'

/** Pausing an answer of node:http instead would throw away what it holds when the connection is cut. */
export function slowConnection(origin: string, pauseMs: number, begin: Promise<void>): Duplex {
  const { hostname, port } = new URL(origin)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.pause()
  let pausing = true
  const takePiece = (): void => {
    if (pausing) return
    // Without a size it would be one frame at a time.
    const size = socket.readableLength
    const piece: unknown = size === 0 ? socket.read() : socket.read(size)
    if (piece === null) return
    pausing = true
    duplex.push(piece)
    setTimeout(() => {
      pausing = false
      takePiece()
    }, pauseMs)
  }
  const duplex = new Duplex({
    read: () => takePiece(),
    write: (piece, _encoding, done) => socket.write(piece as Buffer, () => done()),
    final: (done) => done(),
    destroy(error, done) {
      socket.destroy()
      done(error)
    },
  })
  const readFromNow = (): void => {
    pausing = false
    // Without a listener for it nothing is read ahead.
    socket.on('readable', takePiece)
    takePiece()
  }
  void begin.then(readFromNow)
  socket.on('end', () => duplex.push(null))
  socket.on('error', () => duplex.push(null))
  return duplex
}
