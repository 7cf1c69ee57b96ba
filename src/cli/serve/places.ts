// Where a setting stands in its file.

import { LineIndex, locate, type TomlNode } from '../../tofu/toml-positions.ts'
import { unquote } from '../../tofu/toml-string.ts'

/** Line and column, from 1. */
export interface Place {
  readonly line: number
  readonly column: number
}

/**
 * Finds settings by their path, such as `rate_limits[1].capacity`: where their names begin, or those of the tables around
 * them if they are not there themselves.
 */
export function placesIn(text: string): (key: string) => Place {
  const lines = new LineIndex(text)
  const root = locate(text, (quoted) => unquote(quoted) ?? quoted)
  return (key) => lines.placeOf(nodeOf(root, key).start)
}

function nodeOf(node: TomlNode, key: string): TomlNode {
  const [, index, behind = ''] = /^\[(\d+)\]\.?(.*)$/s.exec(key) ?? []
  if (index !== undefined) {
    const item = node.items[Number(index)]
    return item === undefined ? node : nodeOf(item, behind)
  }
  // A name may have dots itself, so the longest that fits is the one.
  const begins = (name: string): boolean => key.startsWith(name) && /^(?:$|[.[])/.test(key.slice(name.length))
  const [found] = [...node.children].filter(([name]) => begins(name)).toSorted(([a], [b]) => b.length - a.length)
  if (found === undefined) return node
  const [name, child] = found
  return nodeOf(child, key.slice(name.length).replace(/^\./, ''))
}
