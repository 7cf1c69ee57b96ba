import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Gate } from '../../src/tls/gate.ts'
import { memoryPair } from '../support/memory-pair.ts'

const HELLO = Buffer.from([22, 3, 1, 0, 5, 1, 0, 0, 1, 7])
const SECRET = Buffer.from([22, 3, 3, 0, 5, 11, 0, 0, 1, 9])

const turn = () => new Promise((resolve) => setImmediate(resolve))

function gated() {
  const [transport, network] = memoryPair()
  const sent: Buffer[] = []
  network.on('data', (chunk: Buffer) => sent.push(chunk))
  const held: Buffer[] = []
  const gate = new Gate(transport, (record) => held.push(Buffer.from(record)))
  let ends = 0
  gate.onTransportEnd = () => ends++
  return { transport, network, gate, held, sent: () => Buffer.concat(sent), ends: () => ends }
}

describe('the gate', () => {
  it('lets the hello out and holds what follows until it is opened', async () => {
    const { gate, held, sent } = gated()
    gate.write(HELLO)
    const confirmed: string[] = []
    await turn()
    gate.write(SECRET, () => confirmed.push('secret'))
    gate.write('more', () => confirmed.push('more'))
    for (let i = 0; i < 5; i++) await turn()
    expect(sent()).toEqual(HELLO)
    expect(held).toEqual([SECRET])
    expect(confirmed).toEqual([])
    gate.open()
    for (let i = 0; i < 5; i++) await turn()
    expect(sent()).toEqual(Buffer.concat([HELLO, SECRET, Buffer.from('more')]))
    expect(confirmed).toEqual(['secret', 'more'])
    gate.open()
    await turn()
    expect(sent()).toHaveLength(HELLO.length + SECRET.length + 4)
  })

  it('sorts what comes in one batch', async () => {
    const { gate, held, sent } = gated()
    gate.cork()
    gate.write(HELLO.subarray(0, 3))
    gate.write(HELLO.subarray(3))
    gate.write(SECRET)
    gate.uncork()
    for (let i = 0; i < 5; i++) await turn()
    expect([sent(), held]).toEqual([HELLO, [SECRET]])
  })

  it('drops what it holds when it is destroyed, and the transport with it', async () => {
    const { gate, transport, sent } = gated()
    gate.write(HELLO)
    gate.write(SECRET)
    await turn()
    gate.destroy()
    gate.open()
    for (let i = 0; i < 5; i++) await turn()
    expect(transport.destroyed).toBe(true)
    expect(sent()).toEqual(HELLO)
  })

  it('never passes on the end of the transport, and reports it once', async () => {
    const { gate, network, ends } = gated()
    const heard: string[] = []
    gate.on('data', (chunk: Buffer) => heard.push(chunk.toString())).on('end', () => heard.push('end'))
    network.write('last words')
    network.end()
    network.destroy()
    for (let i = 0; i < 5; i++) await turn()
    expect(heard).toEqual(['last words'])
    expect([ends(), gate.transportEnded, gate.transportError, gate.drained]).toEqual([1, true, null, true])
  })

  it('keeps the error of the transport to itself', async () => {
    const { gate, transport, ends } = gated()
    const error = new Error('reset')
    transport.destroy(error)
    for (let i = 0; i < 3; i++) await turn()
    expect([ends(), gate.transportError, gate.destroyed]).toEqual([1, error, false])
  })

  it('confirms writes to a transport that is gone, so that OpenSSL goes on reading', async () => {
    const { gate, transport } = gated()
    gate.write(HELLO)
    gate.open()
    transport.destroy()
    await turn()
    await new Promise<void>((resolve) => gate.write('lost', () => resolve()))
    expect(gate.destroyed).toBe(false)
  })

  it('does not read the transport while it is told not to', async () => {
    const transport = new PassThrough()
    const gate = new Gate(transport, () => {})
    const heard: string[] = []
    gate.on('data', (chunk: Buffer) => heard.push(chunk.toString()))
    gate.reading = false
    transport.write('later')
    for (let i = 0; i < 3; i++) await turn()
    expect(heard).toEqual([])
    gate.reading = true
    for (let i = 0; i < 3; i++) await turn()
    expect(heard).toEqual(['later'])
  })

  it('does not read the transport while nobody reads the gate', async () => {
    const { gate, network } = gated()
    let confirmed = 0
    const chunk = Buffer.alloc(16 * 1024)
    for (let i = 0; i < 100; i++) network.write(chunk, () => confirmed++)
    for (let i = 0; i < 300; i++) await turn()
    expect(confirmed).toBeLessThan(10)
    expect(gate.readableLength).toBeLessThan(10 * chunk.length)
    let read = 0
    gate.on('data', (piece: Buffer) => {
      read += piece.length
    })
    while (confirmed < 100) await turn()
    for (let i = 0; i < 5; i++) await turn()
    expect(read).toBe(100 * chunk.length)
  })
})
