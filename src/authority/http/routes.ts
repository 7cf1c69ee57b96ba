// Which request means what. A path is compared as it stands, so a client hash with an escape in it is none.

import { type Answer, refused } from './problem.ts'

/** What a request asks for. */
export type Route =
  | { readonly kind: 'sign'; readonly path: string; readonly clientHash: string }
  | { readonly kind: 'renew' | 'rekey'; readonly path: string; readonly clientHash: null }
  | { readonly kind: 'ca' | 'crl'; readonly clientHash: null }
  /** There is nothing to do but to answer. */
  | { readonly kind: 'none'; readonly answer: Answer; readonly clientHash: null }

export type SigningRoute = Extract<Route, { readonly path: string }>

export function findRoute(request: Request): Route {
  const path = new URL(request.url).pathname
  const clientHash = SIGN.exec(path)?.[1]
  if (clientHash !== undefined) return onlyBy(request.method, ['PUT'], { kind: 'sign', path, clientHash })
  switch (path) {
    case '/renew':
      return onlyBy(request.method, ['POST'], { kind: 'renew', path, clientHash: null })
    case '/rekey':
      return onlyBy(request.method, ['POST'], { kind: 'rekey', path, clientHash: null })
    case '/ca.pem':
      return onlyBy(request.method, ['GET', 'HEAD'], { kind: 'ca', clientHash: null })
    case '/crl':
      return onlyBy(request.method, ['GET', 'HEAD'], { kind: 'crl', clientHash: null })
    default:
      return none(refused({ status: 404, code: 'not_found', detail: path.startsWith('/api/') ? HASH_ADVICE : ADVICE }))
  }
}

const SIGN = /^\/api\/csr\/([A-Za-z0-9]{1,128})$/

const ADVICE = 'There are PUT /api/csr/<clientHash>, POST /renew and /rekey, GET /ca.pem and /crl.'
const HASH_ADVICE = 'There is PUT /api/csr/<clientHash>, where <clientHash> is 1 to 128 letters A-Z, a-z and digits.'

function onlyBy(method: string, methods: readonly string[], route: Route): Route {
  if (methods.includes(method)) return route
  const allow = [...methods, 'OPTIONS'].join(', ')
  // No word about other origins: pages of other sites have no business here.
  if (method === 'OPTIONS') return none({ response: new Response(null, { status: 204, headers: { allow } }) })
  const detail = `This can be asked for by ${allow}.`
  return none(refused({ status: 405, code: 'method_not_allowed', detail, headers: { allow } }))
}

function none(answer: Answer): Route {
  return { kind: 'none', answer, clientHash: null }
}
