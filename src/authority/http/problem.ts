// What a client is told when the answer is no (RFC 9457): a status, a word for programs, a sentence for people.
//
// Rule: the sentence is ours, or that of an error which is about the client's own request. What a hook, a store or Node
// has to say may hold paths, other clients' names or secrets; it goes to `onEvent`, and no further.

/** Everything that can be said of a request that is refused. */
export interface Problem {
  readonly status: number
  /** The code of the error, or one of a few words. */
  readonly code: string
  readonly detail: string
  /** More words for programs. */
  readonly words?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
}

/** An answer, and what is told of it to `onEvent`. */
export interface Answer {
  readonly response: Response
  readonly code?: string
  readonly serialNumber?: string
  readonly error?: unknown
}

/** Answers with a problem document. */
export function refused({ status, code, detail, words, headers }: Problem, error?: unknown): Answer {
  const body = { type: 'about:blank', title: TITLES[status] ?? 'Error', status, code, detail, ...words }
  const response = new Response(JSON.stringify(body), {
    status,
    headers: { ...COMMON_HEADERS, 'content-type': 'application/problem+json', ...headers },
  })
  return { response, code, ...(error === undefined ? {} : { error }) }
}

/** No page may take an answer for something else, and no cache may keep it. */
export const COMMON_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const

/** "about:blank" wants the phrase of the status as its title (RFC 9457 section 4.2.1). */
const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}
