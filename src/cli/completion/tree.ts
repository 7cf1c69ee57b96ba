// What can be completed, read off the commands themselves, so that no script can know less or more than they do.

import type { Command } from 'commander'

/** A command as completion sees it. */
export interface CompletionNode {
  readonly name: string
  readonly summary: string
  readonly options: readonly CompletionOption[]
  readonly children: readonly CompletionNode[]
  /** Words for its argument, if there are only some. Otherwise files are offered. */
  readonly words: readonly string[]
}

export interface CompletionOption {
  /** `--key-type`; every option has one. */
  readonly long: string
  readonly short: string | null
  readonly summary: string
  readonly takesValue: boolean
  /** The values, if there are only some. Otherwise files are offered. */
  readonly values: readonly string[]
}

/** Reads the tree of a program. */
export function completionTree(command: Command): CompletionNode {
  const help = { long: '--help', short: '-h', summary: 'display help for command', takesValue: false, values: [] }
  return {
    name: command.name(),
    summary: firstSentence(command.summary() || command.description()),
    options: [
      ...command.options.flatMap(({ long, short, description, required, optional, argChoices, hidden }) =>
        long === undefined || long === null || hidden
          ? []
          : [
              {
                long,
                short: short ?? null,
                summary: firstSentence(description),
                takesValue: required || optional,
                values: argChoices ?? [],
              },
            ],
      ),
      help,
    ],
    children: command.commands.map((child) => completionTree(child as Command)),
    words: command.registeredArguments[0]?.argChoices ?? [],
  }
}

/** Every command with the words that lead to it, the program itself first. */
export function everyCommand(
  node: CompletionNode,
  path: readonly string[] = [],
): readonly { readonly path: readonly string[]; readonly node: CompletionNode }[] {
  return [{ path, node }, ...node.children.flatMap((child) => everyCommand(child, [...path, child.name]))]
}

function firstSentence(text: string): string {
  return (/^.*?(?=\. |\.$|$)/s.exec(text)?.[0] ?? text).replace(/\s+/g, ' ')
}
