/** A connection whose reader takes a piece, then pauses: the other side sees a full window, and nothing that was sent is lost. */
import { connect } from 'node:net'
import { Duplex } from 'node:stream'

/** Pausing an answer of node:http instead would throw away what it holds when the connection is cut. */
export function slowConnection(origin: string, pauseMs: number): Duplex {
  const { hostname, port } = new URL(origin)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.pause()
  let pausing = false
  const takePiece = (): void => {
    if (pausing) return
    const piece: unknown = socket.read()
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
  socket.on('readable', takePiece)
  socket.on('end', () => duplex.push(null))
  socket.on('error', () => duplex.push(null))
  return duplex
}
