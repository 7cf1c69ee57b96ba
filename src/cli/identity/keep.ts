// Identities in the wallet: new, list, scope, renew.

import type { Command } from 'commander'
import { InvalidNameError } from '../../errors.ts'
import type { Identity } from '../../identity/wallet/identity.ts'
import type { IdentityWallet } from '../../identity/wallet/identity-wallet.ts'
import type { IdentityKeyType } from '../../identity/wallet/new-identity.ts'
import { type IdentityScope, originScope, pathScope } from '../../identity/wallet/scope.ts'
import { show } from '../../internal/arguments.ts'
import { escapeText } from '../../logging/safe-text.ts'
import type { Cli, Outcome } from '../command.ts'
import { ExitCode, Explained } from '../exit-code.ts'
import { type CliIo, requireYes, styled } from '../io.ts'
import { fromUser, millisecondsOf } from '../options.ts'
import { facts, table } from '../table.ts'
import { endOf, findIdentity, identityJson, openWallet, readValidity, titleOf, type ValidityOptions } from './wallet.ts'

export const KEY_TYPES = [
  'ec-p256',
  'ec-p384',
  'ed25519',
  'rsa-2048',
  'rsa-3072',
] as const satisfies readonly IdentityKeyType[]

interface NewOptions extends ValidityOptions {
  readonly commonName?: string
  readonly keyType?: IdentityKeyType
  readonly scope?: string
  readonly wholeSite?: boolean
  readonly encrypt?: boolean
}

/** `identity new`. */
export async function create(
  { io }: Cli,
  name: string | undefined,
  options: NewOptions,
  command: Command,
): Promise<Outcome> {
  const { commonName, keyType, encrypt = false } = options
  const validity = readValidity(options)
  const scope = options.scope === undefined ? undefined : readScope(options.scope, options)
  await using wallet = await openWallet(io, command, { encrypt })
  const identity = await fromUser(() =>
    wallet.create({
      ...(name === undefined ? {} : { name }),
      ...(commonName === undefined ? {} : { commonName }),
      ...(keyType === undefined ? {} : { keyType }),
      ...(validity === undefined ? {} : { validity }),
      ...(scope === undefined ? {} : { scope }),
    }),
  )
  return { json: identityJson(identity), text: identityText(io, identity) }
}

/** `identity list`. */
export async function list(
  { io }: Cli,
  { expiringWithin }: { readonly expiringWithin?: string },
  command: Command,
): Promise<Outcome> {
  const within = expiringWithin === undefined ? null : millisecondsOf('--expiring-within', expiringWithin, io.clock())
  await using wallet = await openWallet(io, command)
  const identities = within === null ? wallet.list() : wallet.expiring(within)
  const rows = identities.map((identity) => [
    identity.id,
    escapeText(identity.name ?? identity.commonName ?? '-'),
    identity.validity === 'valid' ? endOf(identity) : styled(io, 'red', endOf(identity)),
    identity.scopes.length === 0 ? '-' : identity.scopes.join('\n'),
  ])
  const listed =
    rows.length === 0 ? noneOf(wallet, within) : await table(io, ['ID', 'NAME', 'EXPIRES', 'SHOWN AT'], rows)
  const problems = wallet.problems.map((problem) => `${styled(io, 'yellow', 'warning:')} ${problem.message}`)
  return {
    json: { wallet: wallet.directory, identities: identities.map(identityJson), problems: wallet.problems },
    text: [listed, ...problems].join('\n'),
  }
}

function noneOf(wallet: IdentityWallet, within: number | null): string {
  return within === null ? `There are no identities in ${wallet.directory}.` : 'No identity expires within that time.'
}

interface ScopeOptions {
  readonly wholeSite?: boolean
  readonly force?: boolean
}

/** `identity scope add`. Whether a second host may know the identity is asked about. */
export async function addScope(
  { io }: Cli,
  text: string,
  url: string,
  options: ScopeOptions,
  command: Command,
): Promise<Outcome> {
  const scope = readScope(url, options)
  await using wallet = await openWallet(io, command)
  const { id } = findIdentity(wallet, text)
  // The other concern is about how a server is connected to, which nobody does here.
  const clearance = wallet.check(id, { endpoint: scope.endpoint, protocol: 'TLSv1.3' })
  if (!clearance.cleared) {
    await requireYes(io, `${clearance.explanation} Show it there too?`, options.force === true)
    await wallet.confirm(id, scope.endpoint, 'second_host')
  }
  const identity = await wallet.use(id, scope)
  return { json: identityJson(identity), text: `${titleOf(identity)} is shown at ${scope} from now on.` }
}

/** `identity scope remove`. */
export async function removeScope(
  { io }: Cli,
  text: string,
  url: string | undefined,
  options: ScopeOptions,
  command: Command,
): Promise<Outcome> {
  const scope = url === undefined ? undefined : readScope(url, options)
  await using wallet = await openWallet(io, command)
  const before = findIdentity(wallet, text)
  const identity = await wallet.stop(before.id, scope)
  const where = scope === undefined ? 'shown nowhere any more' : `not shown at ${scope} any more`
  const isUnchanged = identity.scopes.length === before.scopes.length
  return {
    json: identityJson(identity),
    text: isUnchanged ? `${titleOf(identity)} was not shown there.` : `${titleOf(identity)} is ${where}.`,
    exitCode: isUnchanged ? ExitCode.no : ExitCode.ok,
  }
}

interface RenewOptions extends ValidityOptions {
  readonly revert?: boolean
}

/** `identity renew`, and with `--revert` the way back. */
export async function renew({ io }: Cli, text: string, options: RenewOptions, command: Command): Promise<Outcome> {
  const validity = readValidity(options)
  await using wallet = await openWallet(io, command)
  const { id } = findIdentity(wallet, text)
  const identity =
    options.revert === true
      ? await wallet.revertRenewal(id)
      : await fromUser(() => wallet.renew(id, validity === undefined ? {} : { validity }))
  return { json: identityJson(identity), text: identityText(io, identity) }
}

function readScope(url: string, { wholeSite }: { readonly wholeSite?: boolean }): IdentityScope {
  try {
    return wholeSite === true ? originScope(url) : pathScope(url)
  } catch (error) {
    if (!(error instanceof InvalidNameError)) throw error
    const wanted = 'an identity is shown at a URL such as gemini://example.org/path'
    throw new Explained(`${wanted}, and ${show(url)} is none: ${error.message}`, error)
  }
}

function identityText(io: CliIo, identity: Identity): string {
  return facts(io, [
    ['id', identity.id],
    ['name', identity.name && escapeText(identity.name)],
    ['common name', identity.commonName && escapeText(identity.commonName)],
    ['fingerprint', identity.fingerprint],
    ['expires', endOf(identity)],
    ['shown at', identity.scopes.length === 0 ? 'nowhere yet' : identity.scopes.join(' ')],
    ['before', identity.formerCertificates[0]?.fingerprint],
  ])
}
