// `identity rotate`: another key, site by site. No site learns of it by itself, so the wallet keeps a list; the commands are
// the steps of the plan, and the old identity is there until the last of them.

import type { Command } from 'commander'
import type { Identity } from '../../identity/wallet/identity.ts'
import type { IdentityWallet } from '../../identity/wallet/identity-wallet.ts'
import type { IdentityKeyType } from '../../identity/wallet/new-identity.ts'
import type { RotationPlan } from '../../identity/wallet/rotation-plan.ts'
import { escapeText } from '../../logging/safe-text.ts'
import { type Endpoint, parseEndpoint } from '../../names/endpoint.ts'
import type { Cli, Outcome } from '../command.ts'
import { ExitCode, UsageError } from '../exit-code.ts'
import { type CliIo, requireYes } from '../io.ts'
import { fromUser } from '../options.ts'
import { facts, table } from '../table.ts'
import { lossOf } from './remove.ts'
import { findIdentity, identityJson, openWallet, readValidity, titleOf, type ValidityOptions } from './wallet.ts'

export const ROTATION_ACTIONS = ['statement', 'done', 'skip', 'pending', 'finish', 'abandon'] as const

type RotationAction = (typeof ROTATION_ACTIONS)[number]

interface RotateOptions extends ValidityOptions {
  readonly commonName?: string
  readonly keyType?: IdentityKeyType
  readonly user?: string
  readonly note?: string
  readonly force?: boolean
}

/** `identity rotate`. */
export async function rotate(
  { io }: Cli,
  text: string,
  action: RotationAction | undefined,
  site: string | undefined,
  options: RotateOptions,
  command: Command,
): Promise<Outcome> {
  const isAboutSite = action === 'statement' || action === 'done' || action === 'skip' || action === 'pending'
  if (isAboutSite && site === undefined) throw new UsageError(`${action} for which site? Give its host`)
  if (!isAboutSite && site !== undefined) throw new UsageError(`${action} is about all sites, and takes none`)
  const endpoint = site === undefined ? null : parseEndpoint(site, { defaultPort: 1965 })
  await using wallet = await openWallet(io, command)
  const { id } = findOld(wallet, text)
  // Awaited here, before the wallet is closed.
  if (action === undefined) return await beginOrTell(io, wallet, id, options)
  const plan = wallet.rotationPlan(id)
  if (plan === null) throw new UsageError(`${text} is not being replaced; begin by: tlacacoca identity rotate ${text}`)
  if (endpoint !== null) return await atSite(io, plan, endpoint, action, options)
  return await (action === 'finish' ? finish(io, wallet, plan, options) : abandon(plan))
}

/** The identity that is replaced, or is to be. The new one has its name too, so that the name alone would be both. */
function findOld(wallet: IdentityWallet, text: string): Identity {
  const named = wallet.list().filter((each) => each.name === text)
  const [old, ...others] = named.filter(({ id }) => wallet.rotationPlan(id) !== null)
  const isPair = named.length === 2 && old !== undefined && others.length === 0
  return isPair && named.some(({ id }) => id === old.replacedBy) ? old : findIdentity(wallet, text)
}

async function beginOrTell(io: CliIo, wallet: IdentityWallet, id: string, options: RotateOptions): Promise<Outcome> {
  const { commonName, keyType } = options
  const validity = readValidity(options)
  const wishes = {
    ...(commonName === undefined ? {} : { commonName }),
    ...(keyType === undefined ? {} : { keyType }),
    ...(validity === undefined ? {} : { validity }),
  }
  const begun = wallet.rotationPlan(id)
  if (begun !== null && Object.keys(wishes).length > 0) {
    throw new UsageError(`${titleOf(begun.from)} is being replaced already, by ${begun.to.id}`)
  }
  const plan = begun ?? (await fromUser(() => wallet.rotate(id, wishes)))
  return { json: planJson(plan), text: await planText(io, plan) }
}

async function atSite(
  io: CliIo,
  plan: RotationPlan,
  endpoint: Endpoint,
  action: RotationAction,
  { user, note }: RotateOptions,
): Promise<Outcome> {
  const isKnown = plan.sites.some((site) => site.endpoint.equals(endpoint))
  if (action === 'statement') {
    const statement = await fromUser(() => plan.statement(endpoint, user === undefined ? {} : { user }))
    return { json: { endpoint: String(endpoint), statement }, text: statement }
  }
  if (!isKnown) {
    const text = `${titleOf(plan.from)} was never shown at ${endpoint}, as far as this wallet knows.`
    return { json: planJson(plan), text, exitCode: ExitCode.no }
  }
  const state = action === 'done' ? 'done' : action === 'skip' ? 'skipped' : 'pending'
  await fromUser(() => plan.mark(endpoint, state, note ?? null))
  return { json: planJson(plan), text: await planText(io, plan) }
}

async function finish(
  io: CliIo,
  wallet: IdentityWallet,
  plan: RotationPlan,
  { force = false }: RotateOptions,
): Promise<Outcome> {
  const { to } = plan
  // Whether it may be finished is asked first of all: nobody is to say yes for nothing.
  if (plan.isDone) await requireYes(io, lossOf(plan.from, 'Delete the old one for good?'), force)
  const deleted = await plan.finish()
  await wallet.close()
  return {
    json: { deleted: identityJson(deleted), identity: identityJson(to) },
    text: `${titleOf(deleted)} is deleted, and its key with it. ${to.id} is in its place.`,
  }
}

async function abandon(plan: RotationPlan): Promise<Outcome> {
  const { from, to } = plan
  await plan.abandon()
  return {
    json: { from: identityJson(from), to: identityJson(to) },
    text: `The plan is forgotten. Both are there: ${from.id} and ${to.id}.`,
  }
}

function planJson(plan: RotationPlan) {
  const { from, to, sites, isDone } = plan
  return {
    from: identityJson(from),
    to: identityJson(to),
    sites: sites.map(({ endpoint, state, since, note }) => ({
      endpoint: String(endpoint),
      state,
      since: since?.toISOString() ?? null,
      note,
    })),
    isDone,
  }
}

async function planText(io: CliIo, plan: RotationPlan): Promise<string> {
  const { from, to, sites, isDone } = plan
  const both = facts(io, [
    ['from', `${from.id} ${from.fingerprint}`],
    ['to', `${to.id} ${to.fingerprint}`],
  ])
  if (sites.length === 0) return `${both}\nThe old one was shown nowhere, so that nobody has to be told: finish it.`
  const rows = sites.map(({ endpoint, state, note }) => [String(endpoint), state, escapeText(note ?? '')])
  const list = await table(io, ['SITE', 'STATE', 'NOTE'], rows)
  return `${both}\n${list}${isDone ? '\nEvery site is done or skipped: finish it.' : ''}`
}
