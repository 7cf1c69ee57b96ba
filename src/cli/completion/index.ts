// `tlacacoca completion SHELL`

import { Argument, type Command } from 'commander'
import { type Cli, newCommand } from '../command.ts'
import { completionScript, SHELLS, type Shell } from './shells.ts'
import { completionTree } from './tree.ts'

/** `tlacacoca completion` */
export function completionCommand(cli: Cli): Command {
  return newCommand(cli, 'completion')
    .summary('print a script that completes commands in a shell')
    .description('Prints a script with which a shell completes the commands, options and values of this program.')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .action(
      cli.action(async (_: Cli, shell: Shell, _options: object, command: Command) => {
        const script = completionScript(shell, completionTree(rootOf(command)))
        return { json: { shell, script }, text: script }
      }),
    )
    .addHelpText(
      'after',
      `
Examples:
  source <(tlacacoca completion bash)
  tlacacoca completion fish > ~/.config/fish/completions/tlacacoca.fish`,
    )
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent)
}
