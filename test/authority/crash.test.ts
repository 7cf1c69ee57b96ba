// A program that signs is killed, at every step and at any moment: no certificate exists that the store does not know, and
// nothing that was handed out is lost.

import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { verifyAuditTrail } from '../../src/authority/audit.ts'
import { CertificateAuthority } from '../../src/authority/certificate-authority.ts'
import { type IssuedCertificate, SigningHooks } from '../../src/authority/hooks.ts'
import { createAuthorityDirectory } from '../../src/authority/identity-directory.ts'
import type { IssuedRow } from '../../src/authority/issued-store.ts'
import { startChild } from '../support/run-child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

async function newDirectory(): Promise<string> {
  const directory = join(await temporaryFolder(), 'ca')
  await createAuthorityDirectory(directory, { subject: [['CN', 'ca.test']], dangerouslyUnencrypted: true })
  return directory
}

interface Said {
  readonly signed: readonly string[]
  readonly told: readonly string[]
  readonly handed: readonly string[]
}

/** Lets a program sign until it is dead, by its own hand or ours. */
async function signUntilDead(
  directory: string,
  step: string,
  round: number,
  killAfterMs: number | null,
): Promise<Said> {
  const child = startChild('authority-signing-child.ts', { args: [directory, step, String(round)] })
  if (killAfterMs !== null) {
    // It has begun to sign by then.
    await child.line()
    await pause(killAfterMs)
    child.kill()
  }
  const { stdout, stderr, signal } = await child.ended
  expect(stderr).toBe('')
  expect(signal).toBe('SIGKILL')
  const said = (word: string) =>
    [...stdout.matchAll(new RegExp(`^${word} ([0-9a-f]+)$`, 'gm'))].map(([, serial = '']) => serial)
  return { signed: said('signed'), told: said('told'), handed: said('handed') }
}

async function rowsOf(authority: CertificateAuthority): Promise<Map<string, IssuedRow>> {
  const rows = new Map<string, IssuedRow>()
  for await (const row of authority.list()) rows.set(row.serial, row)
  return rows
}

async function expectNothingUnknown(directory: string, { signed, told, handed }: Said): Promise<void> {
  const later = Date.now() + 3_600_000
  const toldLater: string[] = []
  class Hooks extends SigningHooks {
    override postsign({ serialNumber }: IssuedCertificate): void {
      toldLater.push(serialNumber)
    }
  }
  const authority = await CertificateAuthority.open(directory, {
    clock: () => later,
    hooks: (context) => new Hooks(context),
  })
  try {
    const rows = await rowsOf(authority)
    for (const serial of signed) expect(rows.has(serial), `${serial} was signed`).toBe(true)
    for (const serial of handed) expect(rows.get(serial)).toMatchObject({ status: 'issued', serial })
    // What nobody can have is given up after ten minutes, and listed.
    const abandoned = [...rows.values()].filter(({ certificate }) => certificate === null)
    for (const row of abandoned) expect(row.status).toBe('revoked')
    expect(abandoned.length).toBeLessThanOrEqual(1)
    const crl = await authority.crl()
    for (const { serial } of abandoned) expect(Buffer.from(crl.der).includes(Buffer.from(serial, 'hex'))).toBe(true)
    // And everybody is told in the end.
    await authority.deliverNotices()
    const issued = [...rows.values()].filter(({ status }) => status === 'issued').map(({ serial }) => serial)
    for (const serial of issued) expect([...told, ...toldLater]).toContain(serial)
    expect(await verifyAuditTrail(authority.audit())).toMatchObject({ valid: true })
  } finally {
    await authority.close()
  }
}

it.each(['begin', 'sign', 'complete', 'postsign'])(
  'killed right after the step "%s", it leaves nothing that is not known',
  async (step) => {
    for (const round of [0, 1, 3]) {
      const directory = await newDirectory()
      const said = await signUntilDead(directory, step, round, null)
      expect(said.handed).toHaveLength(round)
      expect(said.signed).toHaveLength(step === 'begin' ? round : round + 1)
      await expectNothingUnknown(directory, said)
    }
  },
)

it('killed at any moment, several times over one directory, it leaves nothing that is not known', {
  timeout: 120_000,
}, async () => {
  const directory = await newDirectory()
  const all = { signed: [] as string[], told: [] as string[], handed: [] as string[] }
  for (let round = 0; round < 6; round++) {
    const { signed, told, handed } = await signUntilDead(directory, 'never', 0, 7 * round)
    all.signed.push(...signed)
    all.told.push(...told)
    all.handed.push(...handed)
  }
  expect(all.handed.length).toBeGreaterThan(0)
  const authority = await CertificateAuthority.open(directory)
  const rows = await rowsOf(authority)
  await authority.close()
  for (const serial of all.signed) expect(rows.has(serial)).toBe(true)
  for (const serial of all.handed) expect(rows.get(serial)?.status).toBe('issued')
})

it('started again at once, it lists what was pending when ten minutes are over', async () => {
  const directory = await newDirectory()
  await signUntilDead(directory, 'begin', 0, null)
  const clock = { now: Date.now() }
  const authority = await CertificateAuthority.open(directory, { clock: () => clock.now })
  onTestFinished(() => authority.close())
  const [pending] = [...(await rowsOf(authority)).values()]
  expect(pending?.status).toBe('pending')
  const serial = Buffer.from(pending?.serial ?? '', 'hex')
  const isListed = async (): Promise<boolean> => Buffer.from((await authority.crl()).der).includes(serial)
  expect(await isListed()).toBe(false)
  clock.now += 660_000
  expect(await isListed()).toBe(true)
})
