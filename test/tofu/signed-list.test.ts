import { execFileSync } from 'node:child_process'
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Fingerprint, parseFingerprint, publicKeyFingerprint } from '../../src/certificate/fingerprint.ts'
import { parseEndpoint } from '../../src/names/endpoint.ts'
import { signKnownHosts } from '../../src/tofu/signed-list.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const NOW = Date.UTC(2026, 10, 26, 3)
const clock = () => NOW
const [one, two, three] = ['a1', 'b2', 'c3'].map((byte) => parseFingerprint(`sha256:${byte.repeat(32)}`)) as [
  Fingerprint,
  Fingerprint,
  Fingerprint,
]
const [first, second, third] = ['one.example', 'two.example', 'three.example'].map((host) =>
  parseEndpoint(`${host}:1965`),
) as [ReturnType<typeof parseEndpoint>, ReturnType<typeof parseEndpoint>, ReturnType<typeof parseEndpoint>]

const makeKey = (kind: 'p256' | 'ed25519'): KeyObject =>
  kind === 'p256'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    : generateKeyPairSync('ed25519').privateKey

/** A friend's list with its signature, and whose it is. */
async function friendsList(kind: 'p256' | 'ed25519' = 'p256') {
  const path = join(await temporaryFolder(), 'friend.toml')
  const friend = TofuStore.inMemory({ clock })
  await friend.trust(first, one, { verified: true, note: 'met in person' })
  await friend.trust(second, two)
  await friend.distrust(third, three)
  await friend.exportToml(path)
  await friend.close()
  const privateKey = makeKey(kind)
  const signedBy = await signKnownHosts(path, { privateKey, clock })
  return { path, sig: `${path}.sig`, privateKey, signature: { signedBy, name: 'Ada' } }
}

describe('a list that somebody vouches for', () => {
  it.each(['p256', 'ed25519'] as const)('comes in with the name of who vouches, signed by %s', async (kind) => {
    const { path, signature } = await friendsList(kind)
    const mine = TofuStore.inMemory({ clock })
    expect(await mine.importToml(path, { signature })).toMatchObject({ added: 2, distrusted: 1 })
    // What the friend has compared, nobody here has.
    expect(await mine.getHostInfo(first)).toMatchObject({
      fingerprint: one,
      state: 'trusted',
      source: 'vouched by Ada',
      note: 'met in person',
    })
    expect(await mine.getHostInfo(second)).toMatchObject({ fingerprint: two, source: 'vouched by Ada' })
    expect(await mine.listDistrusted()).toMatchObject([{ digest: three, source: 'vouched by Ada' }])
  })

  it('does not overrule what is pinned here, unless whoever is asked says so', async () => {
    const { path, signature } = await friendsList()
    const mine = TofuStore.inMemory({ clock })
    await mine.trust(first, three)
    expect(await mine.importToml(path, { signature })).toMatchObject({ added: 1, updated: 0 })
    expect(await mine.getHostInfo(first)).toMatchObject({ fingerprint: three })
    expect(await mine.importToml(path, { signature, onConflict: () => true })).toMatchObject({ updated: 1 })
    expect(await mine.getHostInfo(first)).toMatchObject({ fingerprint: one, source: 'vouched by Ada' })
  })

  it('is the same with a signature elsewhere, and with the line ends of Windows in it', async () => {
    const { path, sig, signature } = await friendsList()
    const elsewhere = `${path}.elsewhere`
    await writeFile(elsewhere, (await readFile(sig, 'utf8')).replaceAll('\n', '\r\n'))
    await writeFile(sig, 'nothing')
    const mine = TofuStore.inMemory({ clock })
    expect(await mine.importToml(path, { signature: { ...signature, path: elsewhere } })).toMatchObject({ added: 2 })
  })

  it('can be looked at first, and cannot replace everything', async () => {
    const { path, signature } = await friendsList()
    const mine = TofuStore.inMemory({ clock })
    expect(await mine.importToml(path, { signature, dryRun: true })).toMatchObject({ added: 2 })
    expect(await mine.listHosts()).toEqual([])
    await expect(mine.importToml(path, { signature, merge: false })).rejects.toThrow(TypeError)
  })
})

describe('a list is refused, and nothing comes in,', () => {
  type Friends = Awaited<ReturnType<typeof friendsList>>
  const edit = async (path: string, change: (text: string) => string) => {
    const text = await readFile(path, 'utf8')
    expect(change(text)).not.toBe(text)
    await writeFile(path, change(text))
  }

  it.each<{ name: string; reason: string; harm: (list: Friends) => Promise<unknown> }>([
    {
      name: 'where a fingerprint in it was changed',
      reason: 'other_list',
      harm: ({ path }) => edit(path, (text) => text.replace('a1a1', 'a1a2')),
    },
    {
      name: 'where something was added at its end',
      reason: 'other_list',
      harm: ({ path }) => edit(path, (text) => `${text}\n`),
    },
    {
      name: 'where it has become another layout, which is read anew',
      reason: 'other_list',
      harm: ({ path }) => edit(path, (text) => text.replace('[_metadata]', '[  _metadata ]')),
    },
    {
      name: 'where it has mistakes that were not in what was signed',
      reason: 'other_list',
      harm: ({ path }) => edit(path, (text) => `${text}[hosts."x"]\nnonsense = \n`),
    },
    {
      name: 'where the digest in the signature was changed to fit',
      reason: 'forged',
      harm: ({ sig }) => edit(sig, (text) => text.replace(/^sha256: ../m, 'sha256: 00')),
    },
    {
      name: 'where the date in the signature was changed',
      reason: 'forged',
      harm: ({ sig }) => edit(sig, (text) => text.replace('2026-11-26', '2026-11-27')),
    },
    {
      name: 'where somebody else signed it',
      reason: 'other_signer',
      harm: ({ path }) => signKnownHosts(path, { privateKey: makeKey('p256'), overwrite: true, clock }),
    },
    {
      name: 'where somebody else signed it, and put the key of the friend beside their signature',
      reason: 'forged',
      harm: async ({ path, sig }) => {
        const key = /^public-key: .*$/m.exec(await readFile(sig, 'utf8'))?.[0] ?? ''
        await signKnownHosts(path, { privateKey: makeKey('p256'), overwrite: true, clock })
        await edit(sig, (text) => text.replace(/^public-key: .*$/m, key))
      },
    },
    {
      name: 'where the signature is of another list of the same friend',
      reason: 'other_list',
      harm: async ({ path, privateKey, sig }) => {
        await writeFile(`${path}.other`, 'another')
        await signKnownHosts(`${path}.other`, { privateKey, signaturePath: sig, overwrite: true, clock })
      },
    },
    { name: 'where the signature is empty', reason: 'malformed', harm: ({ sig }) => writeFile(sig, '') },
    {
      name: 'where something stands behind the signature',
      reason: 'malformed',
      harm: ({ sig }) => edit(sig, (text) => `${text}signature: AAAA\n`),
    },
    {
      name: 'where the signature is written in another way than base64 is',
      reason: 'malformed',
      harm: ({ sig }) => edit(sig, (text) => text.replace(/^(signature: .*?)=*$/m, '$1====')),
    },
  ])('$name', async ({ reason, harm }) => {
    const list = await friendsList()
    await harm(list)
    const mine = TofuStore.inMemory({ clock })
    await expect(mine.importToml(list.path, { signature: list.signature })).rejects.toMatchObject({
      name: 'SignatureError',
      code: 'ERR_TLACACOCA_SIGNATURE_INVALID',
      reason,
    })
    expect(await mine.listHosts()).toEqual([])
    expect(await mine.listDistrusted()).toEqual([])
  })

  it('where the key of the friend is a point with which anybody can sign', async () => {
    const { path, sig } = await friendsList('ed25519')
    const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from([1]), Buffer.alloc(31)])
    const signature = Buffer.concat([Buffer.from([1]), Buffer.alloc(63)]).toString('base64')
    const mine = TofuStore.inMemory({ clock })
    // Without a private key a signature by such a key holds for one text in a few, so many texts are tried.
    for (let ms = 0; ms < 50; ms++) {
      const text = await readFile(sig, 'utf8')
      const forged = text
        .replace(/^signed-at: .*$/m, `signed-at: ${new Date(NOW + ms).toISOString()}`)
        .replace(/^public-key: .*$/m, `public-key: ${spki.toString('base64')}`)
        .replace(/^signature: .*$/m, `signature: ${signature}`)
      await writeFile(sig, forged)
      await expect(
        mine.importToml(path, { signature: { signedBy: publicKeyFingerprint(spki), name: 'Ada' } }),
      ).rejects.toMatchObject({ reason: 'forged' })
    }
  })

  it.each([
    { kind: 'RSA', make: () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey },
    { kind: 'P-384', make: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey },
  ])('where the key is of a kind that signs no lists ($kind), although the signature holds', async ({ make }) => {
    const { path, sig } = await friendsList()
    const privateKey = make()
    const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
    await edit(sig, (text) => {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1] ?? ''
      const statement = `tlacacoca known hosts 1\nsha256:${field('sha256')}\n${field('signed-at')}\n`
      const signature = sign('sha256', Buffer.from(statement), privateKey).toString('base64')
      return text
        .replace(/^public-key: .*$/m, `public-key: ${spki.toString('base64')}`)
        .replace(/^signature: .*$/m, `signature: ${signature}`)
    })
    const mine = TofuStore.inMemory({ clock })
    const signature = { signedBy: publicKeyFingerprint(spki), name: 'Ada' }
    await expect(mine.importToml(path, { signature })).rejects.toMatchObject({ reason: 'forged' })
    expect(await mine.listHosts()).toEqual([])
  })

  it('where there is no signature, or a file that is far too large for one', async () => {
    const { path, sig, signature } = await friendsList()
    const mine = TofuStore.inMemory({ clock })
    await expect(mine.importToml(path, { signature: { ...signature, path: `${sig}.no` } })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_FILE_NOT_FOUND',
    })
    await writeFile(sig, 'x'.repeat(100_000))
    await expect(mine.importToml(path, { signature })).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNREADABLE' })
  })

  it.each(['the list', 'the signature'])('where %s is no ordinary file, without waiting for it', async (which) => {
    const { path, sig, signature } = await friendsList()
    const harmed = which === 'the list' ? path : sig
    await rm(harmed)
    execFileSync('mkfifo', [harmed])
    const mine = TofuStore.inMemory({ clock })
    await expect(mine.importToml(path, { signature })).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNREADABLE' })
  })

  it('where it is not said by key who is to have signed it', async () => {
    const { path, signature } = await friendsList()
    const mine = TofuStore.inMemory({ clock })
    for (const wrong of [{ ...signature, signedBy: one }, { ...signature, signedBy: 'Ada' }, { name: 'Ada' }, 'Ada']) {
      await expect(mine.importToml(path, { signature: wrong as never })).rejects.toThrow(TypeError)
    }
    expect(await mine.listHosts()).toEqual([])
  })
})

describe('signKnownHosts', () => {
  it('writes a signature that OpenSSL verifies', async () => {
    const { path, sig, signature } = await friendsList()
    const text = await readFile(sig, 'utf8')
    expect((await stat(sig)).mode & 0o777).toBe(0o600)
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1] ?? ''
    const statement = `tlacacoca known hosts 1\nsha256:${field('sha256')}\n${field('signed-at')}\n`
    await writeFile(`${path}.statement`, statement)
    await writeFile(`${path}.der`, Buffer.from(field('public-key'), 'base64'))
    await writeFile(`${path}.bin`, Buffer.from(field('signature'), 'base64'))
    const verified = execFileSync(
      'openssl',
      [
        'dgst',
        '-sha256',
        '-keyform',
        'DER',
        '-verify',
        `${path}.der`,
        '-signature',
        `${path}.bin`,
        `${path}.statement`,
      ],
      { encoding: 'utf8' },
    )
    expect(verified).toBe('Verified OK\n')
    const digest = execFileSync('openssl', ['dgst', '-sha256', '-r', path], { encoding: 'utf8' })
    expect(digest.split(' ')[0]).toBe(field('sha256'))
    const key = execFileSync('openssl', ['dgst', '-sha256', '-r', `${path}.der`], { encoding: 'utf8' })
    expect(signature.signedBy).toBe(`spki-sha256:${key.split(' ')[0]}`)
  })

  it('does not write over anything unless told to, nor sign what is not there', async () => {
    const { path, privateKey } = await friendsList()
    await expect(signKnownHosts(path, { privateKey })).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_EXISTS' })
    await signKnownHosts(path, { privateKey, overwrite: true })
    await expect(signKnownHosts(`${path}.no`, { privateKey })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_FILE_NOT_FOUND',
    })
  })

  it('wants a private key of one of two kinds', async () => {
    const { path } = await friendsList()
    const others = [
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey,
      generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
      generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
      undefined,
    ]
    for (const privateKey of others) {
      await expect(signKnownHosts(path, { privateKey: privateKey as KeyObject, overwrite: true })).rejects.toThrow(
        TypeError,
      )
    }
  })
})
