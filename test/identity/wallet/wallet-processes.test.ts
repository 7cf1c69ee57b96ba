// Several programs on one folder, and programs that die in the middle of what they do.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as elapse } from 'node:timers/promises'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { withLock } from '../../../src/identity/wallet/folder-lock.ts'
import { IdentityWallet } from '../../../src/identity/wallet/identity-wallet.ts'
import { type Child, startChild } from '../../support/run-child.ts'
import { folderWallet, newFolder, withWallet } from './wallet-support.ts'

// Several processes on a slow machine take their time to start.
vi.setConfig({ testTimeout: 180_000 })

const CHILDREN = 6

async function start(directory: string): Promise<Child> {
  const child = startChild('wallet-child.ts', { args: [directory] })
  onTestFinished(async () => {
    child.kill()
    await child.ended
  })
  expect(await child.line()).toBe('ready')
  return child
}

async function ask(child: Child, command: string): Promise<string> {
  child.send(command)
  const line = await child.line()
  expect(line).toMatch(/^ok /)
  return line?.slice(3) ?? ''
}

async function end(children: readonly Child[]): Promise<void> {
  for (const { process } of children) process.stdin?.end()
  for (const { ended } of children) expect(await ended).toMatchObject({ code: 0, stderr: '' })
}

it('of many programs that create identities at once, none loses one of another, nor its name and scope', async () => {
  const directory = await newFolder()
  // They also race to create the folder.
  const children = await Promise.all(Array.from({ length: CHILDREN }, () => start(directory)))
  const expected = new Map<string, string>()
  for (let round = 0; round < 8; round++) {
    const ids = await Promise.all(
      children.map((child, n) => ask(child, `create c${n}r${round} gemini://c${n}.example/${round}`)),
    )
    for (const [n, id] of ids.entries()) expected.set(id, `c${n}r${round}`)
  }
  await end(children)

  const wallet = await folderWallet(directory)
  expect(new Map(wallet.list().map(({ id, name }) => [id, name]))).toEqual(expected)
  expect(wallet.problems).toEqual([])
  for (const [id, name] of expected) {
    const [, n, round] = /^c(\d)r(\d)$/.exec(name) ?? []
    expect(wallet.forUrl(`gemini://c${n}.example/${round}`)?.id).toBe(id)
  }
  expect(readdirSync(directory).filter((name) => name.endsWith('.tmp'))).toEqual([])
})

it('of many programs that change one identity at once, each change is there', async () => {
  const directory = await newFolder()
  const { id } = await withWallet(directory, (wallet) => wallet.create({ scope: 'gemini://example.org/' }))
  const children = await Promise.all(Array.from({ length: CHILDREN }, () => start(directory)))
  await Promise.all(
    children.map(async (child, n) => {
      for (let k = 0; k < 8; k++) await ask(child, `use ${id} gemini://example.org/${n}/${k}`)
    }),
  )
  // Uses are written without being asked for, and must not write over the rest either.
  await Promise.all(children.map((child, n) => ask(child, `identity gemini://example.org/${n}/0/x`)))
  const fingerprints = await Promise.all(children.map((child) => ask(child, `renew ${id}`)))
  await end(children)

  const wallet = await folderWallet(directory)
  const identity = wallet.get(id)
  expect(identity?.scopes).toHaveLength(1 + CHILDREN * 8)
  expect(identity?.sites).toHaveLength(1)
  const certificates = [
    identity?.fingerprint,
    ...(identity?.formerCertificates ?? []).map(({ fingerprint }) => fingerprint),
  ]
  expect(certificates).toHaveLength(1 + CHILDREN)
  expect(new Set(certificates).size).toBe(1 + CHILDREN)
  for (const fingerprint of fingerprints) expect(certificates).toContain(fingerprint)
})

it('of many programs that delete one identity, one does', async () => {
  const directory = await newFolder()
  const { id } = await withWallet(directory, (wallet) => wallet.create())
  const children = await Promise.all(Array.from({ length: CHILDREN }, () => start(directory)))
  for (const child of children) child.send(`delete ${id}`)
  const answers = await Promise.all(children.map((child) => child.line()))
  expect(answers.filter((answer) => answer === `ok ${id}`)).toHaveLength(1)
  expect(answers.filter((answer) => answer === 'ERR_TLACACOCA_IDENTITY_NOT_FOUND')).toHaveLength(CHILDREN - 1)
  await end(children)
})

it('a program that holds the lock keeps others waiting no longer than they want to', async () => {
  const directory = await newFolder()
  await withWallet(directory, (wallet) => wallet.create())
  const { default: SQLite } = await import('better-sqlite3')
  const lock = new SQLite(join(directory, '.lock'))
  lock.exec('BEGIN EXCLUSIVE')
  const wallet = await IdentityWallet.open({ directory, lockTimeoutMs: 30 })
  await expect(wallet.create()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_LOCKED' })
  expect(wallet.list()).toHaveLength(1)
  const patient = await folderWallet(directory)
  const made = patient.create({ name: 'after' })
  lock.close()
  expect((await made).name).toBe('after')
  await wallet.close()
})

// A process gives up its locks on a file when it closes that file, whoever opened it: here the wallet that has to wait.
it('two wallets of one program do not let another program in while one of them is at work', async () => {
  const directory = await newFolder()
  const lock = join(directory, '.lock')
  const other = await start(directory)
  const [first, second] = [await folderWallet(directory), await folderWallet(directory, { lockTimeoutMs: 0 })]
  const { id } = await first.create()
  await withLock(lock, 0, async () => {
    await expect(second.rename(id, 'second')).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_LOCKED' })
    other.send(`annotate-at-once ${id} other`)
    expect(await other.line()).toBe('ERR_TLACACOCA_STORE_LOCKED')
  })
  expect(await ask(other, `annotate-at-once ${id} other`)).toBe(id)
})

describe('kill -9', () => {
  it('at any moment loses no identity and no key, and keeps nobody waiting', async () => {
    const directory = await newFolder()
    const { id: first } = await withWallet(directory, (wallet) => wallet.create({ name: 'first' }))
    const made = new Set([first])
    const going = new Set<string>()
    for (let round = 0; round < 8; round++) {
      const child = await start(directory)
      child.send(`churn n${round}`)
      for (let n = 0; n <= round % 3; n++) await child.line()
      await elapse(20 + round * 31)
      child.kill()
      const { stdout } = await child.ended
      for (const [, word, id = ''] of stdout.matchAll(/^(made|going) ([0-9a-f]+)$/gm)) {
        ;(word === 'made' ? made : going).add(id)
      }

      const wallet = await IdentityWallet.open({ directory })
      const there = [...wallet.list(), ...wallet.deleted()].map(({ id }) => id)
      for (const id of made) expect(there).toContain(id)
      // Killed between deleting one and taking that back, it may have left one more among the deleted.
      const deleted = wallet.deleted().filter(({ id }) => made.has(id) && !going.has(id))
      expect(deleted.length).toBeLessThanOrEqual(1)
      for (const { id } of deleted) going.add(id)
      for (const { message } of wallet.problems) expect(message).toBe('the certificate of this key is missing')
      for (const { id } of wallet.list()) expect(await wallet.clientIdentity(id)).toHaveProperty('cert')
      // The lock went with the program.
      await wallet.annotate(first, `round ${round}`)
      await wallet.close()
    }
    await withWallet(directory, async (wallet) => {
      for (const { id } of wallet.deleted()) await wallet.undelete(id)
      for (const { id, name } of wallet.list()) {
        if (made.has(id)) expect(name).not.toBeNull()
        expect(await wallet.clientIdentity(id)).toHaveProperty('cert')
      }
    })
    expect(readFileSync(join(directory, 'identities.toml'), 'utf8')).toContain('round 7')
  })
})
