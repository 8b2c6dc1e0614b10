/** A fault of the gateway that belongs to no request: it is told, what runs is finished, and the supervisor sees exit code 1. */
import { expect, onTestFinished, test } from 'vitest'
import { chatBytes, contentFrame, done, errorOf, finishFrame, model } from '../integration/scenarios/scene.ts'
import { ChaosHost, pause, wholeRequest } from '../kit/chaos-host.ts'
import { GatewayProcess } from '../kit/gateway-process.ts'
import { chunkBytes, finalChunk, sseHeadBytes } from '../kit/http-bytes.ts'
import { RawClient } from '../kit/raw-client.ts'

const beginning = contentFrame('once')
const rest = finishFrame + done

test.each(['timer', 'turn', 'rejection', 'emitter'] as const)(
  'G21: a fault that no request can answer for (%s): one line, the drain, exit code 1',
  async (at) => {
    const host = await ChaosHost.start({ models: [model] })
    onTestFinished(() => host.close())
    host.play(wholeRequest, sseHeadBytes(), chunkBytes(beginning), pause, chunkBytes(rest), finalChunk)
    await using gateway = await GatewayProcess.start({ hosts: [{ name: 'a', url: host.url, kind: 'openai' }] })
    const connect = async () => {
      const client = await RawClient.open(gateway.port)
      onTestFinished(() => client.close())
      return client
    }
    const client = await connect()
    await client.send(chatBytes({ stream: true }))
    const stream = await client.response()
    await stream.has('once')

    await gateway.trouble({ ask: 'fault', at })
    await gateway.process.said(/Stopping/)
    const newcomer = await connect()
    await newcomer.send(chatBytes())
    const refused = await newcomer.response()
    await refused.over()
    expect(refused.status).toBe(503)
    expect(errorOf(refused).code).toBe('gateway_shutting_down')

    await (await host.exchange()).step()
    await stream.over()
    expect(stream).toMatchObject({ complete: true, text: beginning + rest })
    expect(await gateway.process.end()).toEqual({ code: 1, signal: null })
    const told = gateway.log.filter(({ level }) => level === 'error')
    expect(told).toEqual([expect.objectContaining({ msg: 'A fault of the gateway itself; it stops' })])
    gateway.expectSound(2, { faults: 1, secrets: ['10.1.2.3', 'canary-of-a-fault'] })
    const ends = gateway.outcomes.map(({ end }) => String(end)).toSorted((a, b) => a.localeCompare(b))
    expect(ends).toEqual(['--', 'AR'])
  },
)
