// What a key, or a passphrase, must never get into: messages, what is printed, what is made into JSON.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { IdentityWallet } from '../../../src/identity/wallet/identity-wallet.ts'
import { parseEndpoint } from '../../../src/names/endpoint.ts'
import { folderWallet, newFolder } from './wallet-support.ts'

const PASSPHRASE = 'a passphrase that stands nowhere else'
const URL_ = 'gemini://example.org/'

/** All that can be got out of a value without asking for it by name. */
function everythingSaidBy(value: unknown): string {
  const inspected = [{}, { showHidden: true, depth: null }, { depth: null, getters: true }].map((options) =>
    inspect(value, options),
  )
  const json = JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? String(each) : each))
  // What is printed on several lines is put together again.
  const joined = inspected.map((text) => text.replace(/\\n' \+\s*'/g, ''))
  return [...inspected, ...joined, String(value), json, json?.replaceAll('\\n', '')].join('\n')
}

/** Pieces of a private key, in every spelling that a program would print. */
function traces(pem: string): string[] {
  const base64 = pem.replace(/-----.*-----|\s/g, '')
  const der = Buffer.from(base64, 'base64')
  // The 32 octets of the secret number of a P-256 key in PKCS#8 (RFC 5915 section 3).
  const secret = der.subarray(36, 68)
  return [
    ...[0, 1, 2].map((shift) => secret.subarray(shift, 31).toString('base64').slice(0, 20)),
    secret.toString('hex').slice(0, 20),
    base64.slice(40, 80),
    'PRIVATE KEY',
    [...secret.subarray(0, 8)].join(', '),
  ]
}

it('no key and no passphrase is in anything that a wallet gives out', async () => {
  const directory = await newFolder()
  const wallet = await folderWallet(directory, { passphrase: PASSPHRASE })
  const { id } = await wallet.create({ name: 'Ana', scope: URL_ })
  const temporary = await wallet.create({ temporary: true, scope: 'gemini://b.example/' })
  const identity = await wallet.identityFor(URL_)
  const plan = await wallet.rotate(id)
  const key = identity?.key ?? ''
  expect(key).toMatch(/^-----BEGIN PRIVATE KEY-----/)
  const temporaryKey = (await wallet.clientIdentity(temporary.id)).key
  const said = [
    wallet,
    identity,
    { nested: [identity] },
    plan,
    plan.sites,
    await plan.statement(parseEndpoint('example.org:1965')),
    wallet.store(URL_),
    wallet.list(),
    wallet.suggest(URL_, 62),
    wallet.check(id, { endpoint: parseEndpoint('b.example:1965'), protocol: 'TLSv1.2' }),
    await wallet.export(id),
    await wallet.renew(id),
    await wallet.delete(temporary.id),
    wallet.deleted(),
  ]
    .map(everythingSaidBy)
    .join('\n')
  for (const trace of [...traces(key), ...traces(temporaryKey), PASSPHRASE]) expect(said).not.toContain(trace)
  expect(said).toContain('BEGIN CERTIFICATE')
  expect(readFileSync(join(directory, 'identities.toml'), 'utf8')).not.toContain('PRIVATE')
})

it('no key and no passphrase is in an error', async () => {
  const directory = await newFolder()
  const wallet = await folderWallet(directory, { passphrase: PASSPHRASE })
  const { id } = await wallet.create({ scope: URL_ })
  const other = await wallet.create()
  const key = (await wallet.clientIdentity(id)).key
  await wallet.close()

  const errors: unknown[] = []
  const failing = async (act: () => Promise<unknown>): Promise<void> => {
    const result = await act().then(
      () => null,
      (error: unknown) => error,
    )
    expect(result).toBeInstanceOf(Error)
    errors.push(result)
  }
  const wrong = `${PASSPHRASE}!`
  await failing(() => IdentityWallet.open({ directory, passphrase: wrong }))
  await failing(() => IdentityWallet.open({ directory }))
  // @ts-expect-error A passphrase in the place of an option.
  await failing(() => IdentityWallet.open({ directory, passphrase: { PASSPHRASE } }))
  writeFileSync(join(directory, `${id}.key`), readFileSync(join(directory, `${other.id}.key`)))
  const again = await folderWallet(directory, { passphrase: PASSPHRASE })
  await failing(() => again.identityFor(URL_))
  // A key in clear where the certificate should be, and in the file of names.
  writeFileSync(join(directory, `${id}.crt`), key)
  await again.reload()
  errors.push(again.problems)
  writeFileSync(join(directory, 'identities.toml'), `format = 1\n[identity.${id}]\nname = ${key}`)
  await failing(() => again.reload())
  writeFileSync(join(directory, 'identities.toml'), `format = 1\n[identity.${id}]\nname = ["""${key}"""]`)
  await failing(() => again.reload())

  const said = errors.map(everythingSaidBy).join('\n')
  for (const trace of [...traces(key), PASSPHRASE]) {
    // A message may name what it is about, if not what is in it.
    if (trace !== 'PRIVATE KEY') expect(said).not.toContain(trace)
  }
})

it('the key is there for whoever asks for it, and in a copy', async () => {
  const wallet = await IdentityWallet.inMemory()
  await wallet.create({ scope: URL_ })
  const identity = await wallet.identityFor(URL_)
  expect(Object.keys(identity ?? {})).toEqual(['cert', 'key'])
  const copy = { ...identity }
  expect(copy.key).toMatch(/^-----BEGIN PRIVATE KEY-----/)
  // What the tests above look for is found where it is.
  for (const trace of traces(copy.key ?? '').slice(-3, -1)) expect(everythingSaidBy(copy)).toContain(trace)
  await wallet.close()
})
