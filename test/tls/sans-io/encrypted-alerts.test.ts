// The look for alerts of which Node says nothing, where there is nothing to be found.

import { describe, expect, it } from 'vitest'
import { recordSuite } from '../../../src/tls/sans-io/cipher-suites.ts'
import { EncryptedAlerts } from '../../../src/tls/sans-io/encrypted-alerts.ts'
import { nextTrafficSecret, trafficKeys } from '../../../src/tls/sans-io/record-keys.ts'
import { sealRecord } from '../../../src/tls/sans-io/record-protection.ts'
import type { ServerHelloInfo } from '../../../src/tls/sans-io/server-hello.ts'

const ALERT = { type: 21, bytes: Uint8Array.of(2, 99) }
const SECRET = Buffer.alloc(32, 7)
const LINE = Buffer.from(`SERVER_TRAFFIC_SECRET_0 ${'0'.repeat(64)} ${SECRET.toString('hex')}\n`)
const hello = (version: 'TLSv1.2' | 'TLSv1.3', cipherSuite: number) =>
  ({ version, cipherSuite, random: Buffer.alloc(32, 1) }) as unknown as ServerHelloInfo

function suite() {
  const found = recordSuite(0x1301)
  if (found === null) throw new Error('no such suite')
  return found
}

/** A peer that has sent one record of its handshake, and now the last of some. */
function fed(secret: Uint8Array, ...records: readonly number[]) {
  const alerts = new EncryptedAlerts('server', () => hello('TLSv1.3', 0x1301))
  alerts.keylog(LINE)
  alerts.push(Buffer.of(23, 3, 3, 0, 1, 0))
  const keys = trafficKeys(suite(), secret)
  for (const sequence of records) alerts.push(sealRecord(keys, sequence, ALERT))
  return { alerts, keys }
}

describe('a fatal alert', () => {
  it('is found, and its place known from then on', () => {
    const { alerts, keys } = fed(SECRET, 0)
    expect(alerts.takeFatal()).toEqual({ level: 'fatal', code: 99 })
    alerts.push(sealRecord(keys, 1, ALERT))
    expect(alerts.takeFatal()).toEqual({ level: 'fatal', code: 99 })
  })

  it('is looked for once only if the peer has changed its keys', () => {
    const { alerts, keys } = fed(nextTrafficSecret(suite(), SECRET), 0)
    expect(alerts.suspects).toBe(true)
    expect(alerts.takeFatal()).toBeNull()
    alerts.push(sealRecord(keys, 1, ALERT))
    expect(alerts.takeFatal()).toBeNull()
    // Not even where the old keys would open it.
    alerts.push(sealRecord(trafficKeys(suite(), SECRET), 2, ALERT))
    expect(alerts.takeFatal()).toBeNull()
  })

  it('is not found where nothing has come, nor a second time', () => {
    const { alerts } = fed(SECRET)
    expect(alerts.takeFatal()).toBeNull()
    const { alerts: others } = fed(SECRET, 0)
    expect(others.takeFatal()).not.toBeNull()
    expect(others.takeFatal()).toBeNull()
  })

  it.each([
    ['TLSv1.3', 0x1301, [Buffer.of(23, 3, 3, 0, 19), Buffer.alloc(19, 5)]],
    ['TLSv1.2', 0xc02b, [Buffer.of(20, 3, 3, 0, 1, 1), Buffer.of(21, 3, 3, 0, 26), Buffer.alloc(26, 5)]],
  ] as const)('is not found where nobody has told the keys, by %s', (version, cipherSuite, bytes) => {
    const alerts = new EncryptedAlerts('server', () => hello(version, cipherSuite))
    alerts.push(Buffer.concat(bytes))
    expect(alerts.suspects).toBe(true)
    expect(alerts.takeFatal()).toBeNull()
  })
})
