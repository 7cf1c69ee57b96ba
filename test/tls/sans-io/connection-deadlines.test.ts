// Time: what a connection waits for, for how long, and by whose clock. It sets no timers.

import { describe, expect, it } from 'vitest'
import type { KeyedChain } from '../../../src/certificate/keyed-chain.ts'
import { fixedClock } from '../../../src/testing/fixed-clock.ts'
import { ClientCertificateStore } from '../../../src/tls/sans-io/client-certificate-store.ts'
import { isOpen, OurEnd, openPair, turn, wirePair } from '../../support/sans-io.ts'
import { clientTls, only, serverTls, VERSIONS } from '../../support/sans-io-world.ts'

const NOON = new Date('2030-06-01T12:00:00Z')

class LateStore extends ClientCertificateStore {
  answer: (chain: KeyedChain | null) => void = () => {}

  override getCertificateChainForRoots(): void {}

  override getDefaultCertificateChain(answer: (chain: KeyedChain | null) => void): void {
    this.answer = answer
  }
}

describe.each(VERSIONS)('deadlines by %s', (version) => {
  it.each(['client', 'server'] as const)('ends a %s whose peer says nothing', async (side) => {
    const clock = fixedClock(NOON)
    const end = new OurEnd(side === 'client' ? clientTls({ ...only(version), clock }) : serverTls({ clock }))
    const { connection } = end
    expect(connection.nextDeadline).toBe(NOON.getTime() + 10_000)
    clock.advance(9_999)
    connection.tick()
    expect(connection.state).not.toBe('invalidated')
    clock.advance(1)
    connection.tick()
    expect(await end.failure()).toMatchObject({ code: 'ERR_TLACACOCA_TIMEOUT' })
    expect(end.closes).toEqual([true])
    expect(connection.nextDeadline).toBeNull()
    connection.tick()
  })

  it('is not put off by bytes that trickle in', async () => {
    const clock = fixedClock(NOON)
    const wire = wirePair({ client: clientTls(only(version)), server: serverTls({ clock }) })
    const hello = wire.client.take()
    for (let second = 0; second < 9; second++) {
      wire.server.receive(hello.subarray(second, second + 1))
      clock.advance(1_000)
      wire.server.connection.tick()
    }
    expect(wire.server.connection.nextDeadline).toBe(NOON.getTime() + 10_000)
    clock.advance(1_000)
    wire.server.connection.tick()
    expect(wire.server.connection.state).toBe('invalidated')
  })

  it.each(['client', 'server'] as const)(
    'does not count a verifier’s time as that of the handshake, on a %s',
    async (side) => {
      const clock = fixedClock(NOON)
      let accept = (): void => {}
      const verify = (): Promise<void> =>
        new Promise((resolve) => {
          accept = resolve
        })
      const options = { clock, timeouts: { handshakeMs: 1_000, verifyMs: 60_000 } }
      const wire = wirePair({
        client: clientTls({ ...only(version), ...(side === 'client' ? options : {}) }),
        server: serverTls(side === 'server' ? options : {}),
        ...(side === 'client' ? { clientEnd: { verify } } : { serverEnd: { verify } }),
      })
      const { connection } = wire[side]
      expect(connection.nextDeadline).toBe(clock() + 1_000)
      clock.advance(400)
      await wire.settle()
      expect(connection.state).toBe('verifying')
      expect(connection.nextDeadline).toBe(clock() + 60_000)
      clock.advance(59_999)
      connection.tick()
      expect(connection.state).toBe('verifying')
      accept()
      if (side === 'client' && version === 'TLSv1.2') {
        // It still has to hear the server's last word, and has what is left of its second.
        await turn()
        expect(connection.state).toBe('handshaking')
        expect(connection.nextDeadline).toBe(clock() + 600)
      }
      await wire.until(() => isOpen(wire.client) && isOpen(wire.server))
      expect(connection.nextDeadline).toBeNull()
    },
  )

  it('ends a client of TLS 1.2 that has accepted the server and never hears from it again', async () => {
    if (version === 'TLSv1.3') return
    const clock = fixedClock(NOON)
    const wire = wirePair({ client: clientTls({ ...only(version), clock }), server: serverTls() })
    wire.toServer()
    wire.toClient()
    await turn()
    await turn()
    expect(wire.client.connection.peer).not.toBeNull()
    expect(wire.client.connection.state).toBe('handshaking')
    clock.advance(10_000)
    wire.client.connection.tick()
    expect(await wire.client.failure()).toMatchObject({ code: 'ERR_TLACACOCA_TIMEOUT' })
  })

  it('gives a store its own time, and then the handshake all of its own', async () => {
    const clock = fixedClock(NOON)
    const store = new LateStore()
    const timeouts = { certificateMs: 3_000, handshakeMs: 1_000 }
    const client = clientTls({ ...only(version), clock, timeouts, clientCertificateStore: store })
    const { connection } = new OurEnd(client)
    expect(connection.nextDeadline).toBe(clock() + 3_000)
    clock.advance(2_999)
    connection.tick()
    store.answer(null)
    await turn()
    expect(connection.state).toBe('handshaking')
    expect(connection.nextDeadline).toBe(clock() + 1_000)
    connection.destroy()
  })

  it('waits for ever where it was told to', async () => {
    const clock = fixedClock(NOON)
    const timeouts = { handshakeMs: null, verifyMs: null, certificateMs: null }
    const wire = wirePair({
      client: clientTls({ ...only(version), clock, timeouts }),
      server: serverTls({ clock, timeouts }),
      clientEnd: { verify: () => new Promise(() => {}) },
    })
    expect(wire.client.connection.nextDeadline).toBeNull()
    expect(wire.server.connection.nextDeadline).toBeNull()
    await wire.settle()
    expect(wire.client.connection.state).toBe('verifying')
    expect(wire.client.connection.nextDeadline).toBeNull()
    clock.advance(1e12)
    wire.client.connection.tick()
    expect(wire.client.connection.state).toBe('verifying')
  })

  it('waits for nothing once it is open', async () => {
    const clock = fixedClock(NOON)
    const wire = await openPair({ client: clientTls({ ...only(version), clock }), server: serverTls({ clock }) })
    clock.advance(1e12)
    for (const { connection } of [wire.client, wire.server]) {
      expect(connection.nextDeadline).toBeNull()
      connection.tick()
      expect(connection.state).toBe('open')
    }
  })

  it('is over at a deadline in one state only: the hand of the clock that moves back does no harm', async () => {
    const clock = fixedClock(NOON)
    const wire = wirePair({ client: clientTls({ ...only(version), clock }), server: serverTls() })
    clock.set(new Date('2029-01-01T00:00:00Z'))
    wire.client.connection.tick()
    await wire.settle()
    expect(isOpen(wire.client)).toBe(true)
  })

  it('sets no timers, in any state', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length
    const before = timers()
    const wire = wirePair({
      client: clientTls(only(version)),
      server: serverTls(),
      clientEnd: { verify: async () => turn() },
      cutting: 50,
    })
    let most = timers()
    const watch = (): boolean => {
      most = Math.max(most, timers())
      return isOpen(wire.client) && isOpen(wire.server)
    }
    await wire.until(watch)
    wire.client.write('data')
    await wire.settle()
    watch()
    wire.client.connection.applicationFinished()
    wire.server.connection.applicationFinished()
    await wire.settle()
    watch()
    expect(most).toBeLessThanOrEqual(before)
  })
})
