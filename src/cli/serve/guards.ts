// From settings to the parts that decide: who may connect, who may ask how often, who may see what.

import { TrustStore } from '../../certificate/index.ts'
import { readTextFile } from '../../internal/atomic-file.ts'
import {
  AccessControl,
  type AddressList,
  BanList,
  CertificateAuth,
  type CertificateRule,
  type ChainDecision,
  type ConnectionLimiter,
  loadAddressList,
  type Middleware,
  MiddlewareChain,
  type RateLimitBy,
  RateLimiter,
  RateLimits,
} from '../../middleware/index.ts'
import type { Problems } from './problems.ts'
import type { AccessSettings, BanSettings, RateLimitSettings, RuleSettings, Settings } from './settings.ts'

/** The parts that decide, as long as these settings hold. */
export interface Guards {
  readonly access: AccessControl
  readonly bans: BanList | null
  readonly limits: Middleware | null
  /** All of them in order, for requests. */
  readonly chain: Middleware
}

/** What was made of settings before. What they do not change is kept, with all that it has counted until now. */
export interface Former {
  readonly settings: Settings
  readonly guards: Guards
}

/** Makes the parts. Mistakes are noted; if there are any, what comes out is not to be used. */
export async function makeGuards(
  settings: Settings,
  problems: Problems,
  options: {
    readonly connections: ConnectionLimiter
    readonly onDecision: (decision: ChainDecision) => void
    readonly former: Former | null
  },
): Promise<Guards> {
  const { connections, onDecision, former } = options
  const keepsBans = former !== null && isSame(former.settings.bans, settings.bans)
  const keepsLimits = keepsBans && isSame(former.settings.rateLimits, settings.rateLimits)
  const access = (await makeAccess(settings.access, problems)) ?? new AccessControl({ defaultAllow: false })
  const bans = keepsBans ? former.guards.bans : await makeBans(settings.bans, problems)
  const limits = keepsLimits ? former.guards.limits : await makeLimits(settings.rateLimits, bans, problems)
  const rules = await makeRules(settings.rules, problems)
  const members = [access, ...(bans === null ? [] : [bans]), connections, ...(limits === null ? [] : [limits]), rules]
  return { access, bans, limits, chain: new MiddlewareChain(members, { onDecision }) }
}

async function makeAccess(settings: AccessSettings, problems: Problems): Promise<AccessControl | undefined> {
  const denyLists = await loadLists('access.deny_files', settings.denyFiles, problems)
  const allowLists = await loadLists('access.allow_files', settings.allowFiles, problems)
  return problems.try('access', () => {
    const rules = {
      ...(settings.deny === undefined ? {} : { denyList: settings.deny }),
      ...(settings.allow === undefined ? {} : { allowList: settings.allow }),
      ...(settings.denyFiles.length === 0 ? {} : { denyLists }),
      ...(settings.allowFiles.length === 0 ? {} : { allowLists }),
      ...(settings.default === undefined ? {} : { defaultAllow: settings.default === 'allow' }),
    }
    return new AccessControl(rules)
  })
}

async function loadLists(
  key: string,
  paths: readonly string[],
  problems: Problems,
): Promise<Readonly<Record<string, AddressList>>> {
  const lists: Record<string, AddressList> = {}
  for (const path of paths) {
    const list = await problems.try(key, () => loadAddressList(path))
    if (list !== undefined) lists[path] = list
  }
  return lists
}

async function makeBans(settings: BanSettings | undefined, problems: Problems): Promise<BanList | null> {
  if (settings === undefined) return null
  return (await problems.try('bans', () => new BanList(withoutUndefined(settings)))) ?? null
}

/** Without a word about limits there is one that nobody notices who reads at the pace of a person. */
async function makeLimits(
  settings: readonly RateLimitSettings[] | undefined,
  bans: BanList | null,
  problems: Problems,
): Promise<Middleware | null> {
  const banning = bans === null ? {} : { bans }
  if (settings === undefined) return new RateLimiter(banning)
  const limiters: RateLimiter[] = []
  for (const { key, by, ...rest } of settings) {
    const limiter = await problems.try(key, () => {
      const subject = by === undefined ? {} : { by: by as RateLimitBy }
      return new RateLimiter({ ...withoutUndefined(rest), ...subject, ...banning })
    })
    if (limiter !== undefined) limiters.push(limiter)
  }
  if (limiters.length === 0) return null
  return (await problems.try('rate_limits', () => new RateLimits(limiters))) ?? null
}

async function makeRules(settings: readonly RuleSettings[], problems: Problems): Promise<CertificateAuth> {
  const rules: CertificateRule[] = []
  for (const { key, authorities, ...rest } of settings) {
    const rule = await problems.try(key, async () => {
      const made: CertificateRule = {
        ...withoutUndefined(rest),
        ...(authorities === undefined
          ? {}
          : { issuedBy: TrustStore.fromPem(await readTextFile(authorities), { allowComments: true }) }),
      }
      // By itself first, so that a mistake is told with the place where it stands.
      void new CertificateAuth({ rules: [made] })
      return made
    })
    if (rule !== undefined) rules.push(rule)
  }
  return (await problems.try('rules', () => new CertificateAuth({ rules }))) ?? new CertificateAuth({ rules: [] })
}

/** An option that is there and undefined is a mistake to the library. */
export function withoutUndefined<T extends object>(options: T): { [Name in keyof T]: Exclude<T[Name], undefined> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given) as { [Name in keyof T]: Exclude<T[Name], undefined> }
}

export function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
