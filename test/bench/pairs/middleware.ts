import {
  AccessControl,
  CertificateAuth,
  MiddlewareChain,
  type MiddlewareRequest,
  parseClientAddress,
  RateLimiter,
  targetFromParts,
} from 'tlacacoca/middleware'
import type { Pair, PairSource } from '../measure.ts'
import { loadPeer } from '../peers.ts'

interface Context {
  readonly request: MiddlewareRequest
  isAllowed: boolean
}

type Step = (context: Context, next: () => Promise<void>) => Promise<void>
type Compose = (steps: readonly Step[]) => (context: Context) => Promise<void>

const target = targetFromParts({ scheme: 'spartan', host: 'example.org', port: 300, path: '/a/b' }, { served: 'any' })
const requestFrom = (text: string): MiddlewareRequest => ({ target, address: parseClientAddress(text), peer: null })

export const middlewareSources: readonly PairSource[] = [{ name: 'chain of three', make: chainPair }]

function chainPair(): Pair<MiddlewareRequest> {
  const access = new AccessControl({ denyList: ['203.0.113.0/24'] })
  const auth = new CertificateAuth({ rules: [{ path: '/club/', requireCertificate: true }] })
  const limiter = new RateLimiter({ capacity: 1000, refillPerSecond: 1_000_000 })
  const chain = new MiddlewareChain([access, auth, limiter])
  const compose = loadPeer<Compose>('koa-compose')
  const composed = compose?.(
    [access, auth, limiter].map((member) => async (context, next) => {
      const result = await member.decide(context.request)
      if (result.allowed) return next()
      context.isAllowed = false
    }),
  )
  return {
    goal: 1.15,
    inputs: (count) => Array.from({ length: count }, () => requestFrom('192.0.2.1')),
    floor: (request) => {
      const first = access.decide(request)
      if (!first.allowed) return first.allowed
      const second = auth.decide(request)
      if (second instanceof Promise || !second.allowed) return false
      return limiter.decide(request).allowed
    },
    ours: (request) => {
      const result = chain.decide(request)
      return result instanceof Promise ? result : result.allowed
    },
    peers: {
      'three awaits': async (request: MiddlewareRequest) => {
        for (const member of [access, auth, limiter]) {
          const result = await member.decide(request)
          if (!result.allowed) return false
        }
        return true
      },
      ...(composed === undefined
        ? {}
        : {
            'koa-compose': async (request: MiddlewareRequest) => {
              const context = { request, isAllowed: true }
              await composed(context)
              return context.isAllowed
            },
          }),
    },
  }
}
