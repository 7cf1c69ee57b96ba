// Which rule is the most specific one for a target? Rules hang in a tree of path segments: the way down a target's
// path passes every rule that covers it, and the last one that fits is the one with the longest path. Comparing whole
// segments is what keeps `/pub` from covering `/publisher-secret`; the tree cannot do anything else.

import type { RequestTarget } from '../names/request-target.ts'
import type { CompiledRule } from './certificate-rule.ts'

interface Node {
  readonly children: Map<string, Node>
  /** The rules for exactly this path, the most specific first. */
  readonly rules: CompiledRule[]
}

export class RuleTree {
  readonly #root: Node = { children: new Map(), rules: [] }

  /** @throws {TypeError} If there is a rule already that applies to exactly the same targets. */
  add(rule: CompiledRule, name: string): void {
    let node = this.#root
    for (const segment of rule.path.segments) {
      let child = node.children.get(segment)
      if (child === undefined) {
        child = { children: new Map(), rules: [] }
        node.children.set(segment, child)
      }
      node = child
    }
    // Which of two would win is something that the order of a list should not decide.
    const twin = node.rules.find(
      ({ host, port, scheme }) => host === rule.host && port === rule.port && scheme === rule.scheme,
    )
    if (twin !== undefined) throw new TypeError(`"${name}" is for the same path, host and scheme as a rule before it`)
    node.rules.push(rule)
    node.rules.sort((a, b) => rank(b) - rank(a))
  }

  /** The rule with the longest path that covers the target; of equal paths the one with a host, a port, a scheme. */
  find(target: RequestTarget): CompiledRule | null {
    let node = this.#root
    let found = firstFor(target, node)
    for (const segment of target.path.segments) {
      const child = node.children.get(segment)
      if (child === undefined) break
      node = child
      found = firstFor(target, node) ?? found
    }
    return found
  }
}

function rank({ host, port, scheme }: CompiledRule): number {
  return (host === null ? 0 : 4) + (port === null ? 0 : 2) + (scheme === null ? 0 : 1)
}

function firstFor(target: RequestTarget, node: Node): CompiledRule | null {
  for (const rule of node.rules) {
    const { host, port, scheme } = rule
    if (host !== null && host !== target.endpoint.host) continue
    if (port !== null && port !== target.endpoint.port) continue
    if (scheme === null || scheme === target.scheme) return rule
  }
  return null
}
