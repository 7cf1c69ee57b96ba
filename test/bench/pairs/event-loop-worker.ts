// Certificates made one after another while a timer looks how long the event loop stands still:
// `event-loop-worker <contender> <key> <count>`. Says in JSON the longest stop, in nanoseconds, once everything is loaded;
// null if the contender knows no such key.

import { readFileSync } from 'node:fs'
import { generateSelfSignedCertificate } from 'tlacacoca/certificate'
import { loadPeer } from '../peers.ts'
import { haveOpenssl, runOpenssl } from '../programs.ts'

export type Key = 'P-256' | 'Ed25519' | 'RSA-2048' | 'RSA-4096'

type Make = (key: Key) => Promise<unknown>

const TICK_MS = 1

const [who = '', key = '', count = '0'] = process.argv.slice(2)
const make = await makerOf(who, key as Key)
let longest: number | null = null
if (make !== null) {
  // Long keys are found by the code that finds short ones; the search itself is no part of the first load.
  for (let n = 0; n < 2; n++) await make(key === 'RSA-4096' ? 'RSA-2048' : (key as Key))
  longest = await longestStop(async () => {
    for (let n = 0; n < Number(count); n++) await make(key as Key)
  })
}
console.log(JSON.stringify(longest))

/**
 * How much later than it should the timer comes at worst. Where the system tells for how long this thread waited for a
 * processor, that is left out: then the machine has other work to do, and the loop is not what stands still.
 */
async function longestStop(work: () => Promise<void>): Promise<number> {
  let last = performance.now()
  let waited = waitedMs()
  let most = 0
  const look = (): void => {
    const [now, waitedNow] = [performance.now(), waitedMs()]
    most = Math.max(most, now - last - TICK_MS - (waitedNow - waited))
    last = now
    waited = waitedNow
  }
  const timer = setInterval(look, TICK_MS)
  // The first tick after the work is over sees what its last step did.
  await work()
  await new Promise((resolve) => setTimeout(resolve, 5 * TICK_MS))
  clearInterval(timer)
  return most * 1e6
}

/** For how long the main thread was ready to run and had no processor. */
function waitedMs(): number {
  try {
    const [, waitedNs = '0'] = readFileSync('/proc/self/schedstat', 'utf8').split(' ')
    return Number(waitedNs) / 1e6
  } catch {
    return 0
  }
}

async function makerOf(name: string, wanted: Key): Promise<Make | null> {
  if (name === 'ours') return (key) => generateSelfSignedCertificate({ hostname: 'example.org', key })
  if (name === '@peculiar/x509') return peculiar()
  if (name === 'selfsigned') return selfsigned(wanted)
  if (name === 'an openssl process') return haveOpenssl ? (key) => runOpenssl(opensslArgs(key)) : null
  if (name === 'nothing at all') return () => new Promise((resolve) => setTimeout(resolve, 50))
  throw new Error(`there is no contender ${name}`)
}

async function peculiar(): Promise<Make> {
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  return async (key) => {
    const algorithm = algorithmOf(key)
    const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    return x509.X509CertificateGenerator.createSelfSigned(
      {
        name: 'CN=example.org',
        keys: keys as Parameters<typeof x509.X509CertificateGenerator.createSelfSigned>[0]['keys'],
        signingAlgorithm: algorithm,
      },
      crypto as Parameters<typeof x509.X509CertificateGenerator.createSelfSigned>[1],
    )
  }
}

function algorithmOf(key: Key) {
  if (key === 'Ed25519') return { name: key }
  if (key === 'P-256') return { name: 'ECDSA', namedCurve: key, hash: 'SHA-256' }
  const modulusLength = Number(key.slice(4))
  return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', publicExponent: new Uint8Array([1, 0, 1]), modulusLength }
}

interface SelfSigned {
  generate(names: readonly object[], options: object): Promise<unknown>
}

function selfsigned(wanted: Key): Make | null {
  const peer = loadPeer<SelfSigned>('selfsigned')
  if (peer === null || wanted === 'Ed25519') return null
  return (key) => {
    const kind = key === 'P-256' ? { keyType: 'ec', curve: key } : { keySize: Number(key.slice(4)) }
    return peer.generate([{ name: 'commonName', value: 'example.org' }], { algorithm: 'sha256', ...kind })
  }
}

function opensslArgs(key: Key): string[] {
  const kind = {
    'P-256': ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
    Ed25519: ['ed25519'],
    'RSA-2048': ['rsa:2048'],
    'RSA-4096': ['rsa:4096'],
  }[key]
  return ['req', '-x509', '-newkey', ...kind, '-nodes', '-keyout', '-', '-subj', '/CN=example.org', '-days', '90']
}
