// The groups that start their processes themselves.

import type { Result } from './measure.ts'
import { accessBudgets } from './pairs/access-control.ts'
import { coldStart } from './pairs/cold-start.ts'
import { eventLoop } from './pairs/event-loop.ts'
import { postgres } from './pairs/postgres.ts'
import { rateLimitMemory } from './pairs/rate-limit-memory.ts'
import { redisTogether } from './pairs/redis.ts'
import { tlsMemory } from './pairs/tls-memory.ts'
import { tlsRequests } from './pairs/tls-requests.ts'
import { tofuFiles } from './pairs/tofu-files.ts'

/** How much of it is wanted. */
export interface Extent {
  /** Only to see that it runs. */
  readonly quick: boolean
  /** With the peers that need minutes and gigabytes for a million of something. */
  readonly million: boolean
}

export const streams: Readonly<Record<string, (extent: Extent) => Iterable<Result[]> | AsyncIterable<Result[]>>> = {
  'access-control-budgets': () => [accessBudgets()],
  'rate-limit-memory': rateLimitMemory,
  'tofu-files': tofuFiles,
  'cold-start': coldStart,
  'event-loop': eventLoop,
  'tls-requests': tlsRequests,
  'tls-memory': tlsMemory,
  postgres,
  'redis-together': redisTogether,
}
