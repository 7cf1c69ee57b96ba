import {
  AccessControl,
  CertificateAuth,
  MiddlewareChain,
  type MiddlewareRequest,
  parseClientAddress,
  RateLimiter,
  targetFromParts,
} from 'tlacacoca/middleware'
import type { Pair } from '../measure.ts'

const target = targetFromParts({ scheme: 'spartan', host: 'example.org', port: 300, path: '/a/b' }, { served: 'any' })
const requestFrom = (text: string): MiddlewareRequest => ({ target, address: parseClientAddress(text), peer: null })

export function middlewarePairs(): Pair[] {
  return [chainPair()]
}

function chainPair(): Pair {
  const access = new AccessControl({ denyList: ['203.0.113.0/24'] })
  const auth = new CertificateAuth({ rules: [{ path: '/club/', requireCertificate: true }] })
  const limiter = new RateLimiter({ capacity: 1000, refillPerSecond: 1_000_000 })
  const chain = new MiddlewareChain([access, auth, limiter])
  const request = requestFrom('192.0.2.1')
  return {
    name: 'chain of three',
    goal: 1.15,
    floor: () => {
      const first = access.decide(request)
      if (!first.allowed) return first.allowed
      const second = auth.decide(request)
      if (second instanceof Promise || !second.allowed) return false
      return limiter.decide(request).allowed
    },
    ours: () => {
      const result = chain.decide(request)
      return result instanceof Promise ? result : result.allowed
    },
    peers: {
      'three awaits': async () => {
        for (const member of [access, auth, limiter]) {
          const result = await member.decide(request)
          if (!result.allowed) return false
        }
        return true
      },
    },
  }
}
