// All pairs whose contenders can be in processes of their own.

import type { PairSource } from './measure.ts'
import { accessSources } from './pairs/access-control.ts'
import { authoritySources } from './pairs/authority.ts'
import { certificateSources } from './pairs/certificates.ts'
import { connectionSources } from './pairs/connections.ts'
import { middlewareSources } from './pairs/middleware.ts'
import { rateLimitSources } from './pairs/rate-limits.ts'
import { redisSources } from './pairs/redis.ts'
import { tofuSources } from './pairs/tofu.ts'

export const groups: Readonly<Record<string, readonly PairSource[]>> = {
  certificates: certificateSources,
  tofu: tofuSources,
  'access-control': accessSources,
  'rate-limits': rateLimitSources,
  middleware: middlewareSources,
  connections: connectionSources,
  authority: authoritySources,
  redis: redisSources,
}

export const sources: readonly PairSource[] = Object.values(groups).flat()
