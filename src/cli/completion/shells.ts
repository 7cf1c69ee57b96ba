// The scripts that shells read. Nothing in them is run but the shell's own functions: what can be completed is written
// out, so that a key pressed at the prompt does not start a program each time.

import { type CompletionNode, everyCommand } from './tree.ts'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

/** The completion script of a program for a shell. */
export function completionScript(shell: Shell, tree: CompletionNode): string {
  switch (shell) {
    case 'bash':
      return bash(tree)
    case 'zsh':
      return zsh(tree)
    case 'fish':
      return fish(tree)
  }
}

/** `tlacacoca cert new` as one word. */
const keyOf = (tree: CompletionNode, path: readonly string[]): string => [tree.name, ...path].join(' ')

/** The cases of a shell's `case`: for each command the subcommand that a word leads to, and what it offers. */
function posixCases(tree: CompletionNode): { steps: string; offers: string; values: string } {
  const steps: string[] = []
  const offers: string[] = []
  const values: string[] = []
  const common = tree.options.map(({ long }) => long)
  for (const { path, node } of everyCommand(tree)) {
    const key = keyOf(tree, path)
    for (const child of node.children) steps.push(`      '${key}:${child.name}') command='${key} ${child.name}' ;;`)
    const options = [...new Set([...node.options.map(({ long }) => long), ...(path.length === 0 ? [] : common)])]
    const words = [...node.children.map(({ name }) => name), ...node.words]
    offers.push(`    '${key}') offered='${words.join(' ')}' options='${options.join(' ')}' ;;`)
    for (const option of node.options) {
      if (!option.takesValue) continue
      const names = [option.long, ...(option.short === null ? [] : [option.short])]
      const pattern = names.map((name) => `'${key}:${name}'`).join('|')
      values.push(`    ${pattern}) takes_value=1 values='${option.values.join(' ')}' ;;`)
    }
  }
  return { steps: steps.join('\n'), offers: offers.join('\n'), values: values.join('\n') }
}

function bash(tree: CompletionNode): string {
  const { name } = tree
  const { steps, offers, values } = posixCases(tree)
  return `# Completion of ${name} for bash. In ~/.bashrc: source <(${name} completion bash)
_${name}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}"
  local command='${name}' offered='' options='' values='' takes_value='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
    case "$command:$word" in
${steps}
    esac
  done
  case "$command:$previous" in
${values}
  esac
  COMPREPLY=()
  if [ -n "$takes_value" ]; then
    if [ -n "$values" ]; then COMPREPLY=($(compgen -W "$values" -- "$current")); else compopt -o default; fi
    return
  fi
  case "$command" in
${offers}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;
    *) if [ -n "$offered" ]; then COMPREPLY=($(compgen -W "$offered" -- "$current")); else compopt -o default; fi ;;
  esac
}
complete -F _${name} ${name}`
}

function zsh(tree: CompletionNode): string {
  const { name } = tree
  const { steps, offers, values } = posixCases(tree)
  return `#compdef ${name}
# Completion of ${name} for zsh. In ~/.zshrc, after compinit: source <(${name} completion zsh)
_${name}() {
  local current="\${words[CURRENT]}" previous="\${words[CURRENT - 1]}"
  local command='${name}' offered='' options='' values='' takes_value='' word
  local -a line
  line=("\${(@)words[2,CURRENT - 1]}")
  for word in "\${line[@]}"; do
    case "$command:$word" in
${steps}
    esac
  done
  case "$command:$previous" in
${values}
  esac
  if [[ -n "$takes_value" ]]; then
    if [[ -n "$values" ]]; then compadd -- \${=values}; else _files; fi
    return
  fi
  case "$command" in
${offers}
  esac
  if [[ "$current" == -* ]]; then compadd -- \${=options}
  elif [[ -n "$offered" ]]; then compadd -- \${=offered}
  else _files
  fi
}
compdef _${name} ${name}`
}

function fish(tree: CompletionNode): string {
  const { name } = tree
  const lines = [
    `# Completion of ${name} for fish: ${name} completion fish > ~/.config/fish/completions/${name}.fish`,
    `complete -c ${name} -f`,
  ]
  for (const { path, node } of everyCommand(tree)) {
    const here = conditionOf(tree, path, node)
    for (const child of node.children) {
      lines.push(`complete -c ${name} -n ${quoted(here)} -a ${child.name} -d ${quoted(child.summary)}`)
    }
    for (const word of node.words) lines.push(`complete -c ${name} -n ${quoted(here)} -a ${word}`)
    if (path.length > 0 && node.children.length === 0 && node.words.length === 0) {
      lines.push(`complete -c ${name} -n ${quoted(here)} -F`)
    }
    // Those of the program itself hold everywhere.
    const where = path.length === 0 ? '' : ` -n ${quoted(here)}`
    for (const { long, short, summary, takesValue, values } of node.options) {
      if (path.length > 0 && long === '--help') continue
      const letters = short === null ? '' : ` -s ${short.slice(1)}`
      const value = !takesValue ? '' : values.length === 0 ? ' -r -F' : ` -x -a ${quoted(values.join(' '))}`
      lines.push(`complete -c ${name}${where} -l ${long.slice(2)}${letters}${value} -d ${quoted(summary)}`)
    }
  }
  return lines.join('\n')
}

/** True while the words so far lead to this command and no further. */
function conditionOf(tree: CompletionNode, path: readonly string[], node: CompletionNode): string {
  const [first, ...others] = path
  if (first === undefined)
    return `not __fish_seen_subcommand_from ${tree.children.map((child) => child.name).join(' ')}`
  const seen = [first, ...others].map((word) => `__fish_seen_subcommand_from ${word}`)
  const further = node.children.map((child) => child.name)
  if (further.length > 0) seen.push(`not __fish_seen_subcommand_from ${further.join(' ')}`)
  return seen.join('; and ')
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
