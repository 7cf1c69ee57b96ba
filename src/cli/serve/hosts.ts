// Which hosts a server answers for, and on which ports. What a URL names need not be where we listen: the port may be
// forwarded to here. So a host without a port means the port that we listen on, and Gemini's own; every other one is said.

import { InvalidNameError } from '../../errors.ts'
import { type Endpoint, endpointFrom, parseEndpoint } from '../../names/endpoint.ts'
import { UsageError } from '../exit-code.ts'
import type { Problems } from './problems.ts'
import type { Settings } from './settings.ts'

/** A host in canonical form, and its port if one was named. */
export interface ServedHost {
  readonly name: string
  readonly port: number | null
}

/** Gemini's. */
export const DEFAULT_PORT = 1965

/** Reads `example.org`, `example.org:1967`, `[::1]`: as the command line says, else the settings, else localhost alone. */
export async function readHosts(
  given: readonly string[],
  { settings, problems }: { readonly settings: Settings; readonly problems: Problems },
): Promise<ServedHost[]> {
  const named = given.length > 0 ? given : settings.hosts
  const hosts: ServedHost[] = []
  for (const text of named) {
    try {
      hosts.push(readHost(text))
    } catch (error) {
      if (!(error instanceof InvalidNameError)) throw error
      if (given.length > 0) throw new UsageError(error.message, { cause: error })
      problems.add('hosts', error.message)
    }
  }
  return hosts.length > 0 || named.length > 0 ? hosts : [{ name: 'localhost', port: null }]
}

function readHost(text: string): ServedHost {
  const endpoint = parseEndpoint(text, { defaultPort: DEFAULT_PORT })
  // A text that names a port means the same whatever the default is.
  const hasPort = endpoint.equals(parseEndpoint(text, { defaultPort: DEFAULT_PORT + 1 }))
  return { name: endpoint.host, port: hasPort ? endpoint.port : null }
}

/** The names without ports, each once. */
export function namesOf(hosts: readonly ServedHost[]): string[] {
  return [...new Set(hosts.map(({ name }) => name))]
}

/** What requests may ask for at a server that listens on this port. */
export function servedOn(port: number, hosts: readonly ServedHost[]): Endpoint[] {
  return hosts.flatMap((host) => {
    const ports = host.port === null ? [...new Set([port, DEFAULT_PORT])] : [host.port]
    return ports.map((each) => endpointFrom(host.name, each))
  })
}
