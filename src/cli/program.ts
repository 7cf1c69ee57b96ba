import { type Command, CommanderError } from 'commander'
import { Cli, endOfParser, jsonOption, newCommand } from './command.ts'
import type { ExitCode } from './exit-code.ts'
import type { CliIo } from './io.ts'

/** A group of commands, such as `tlacacoca cert …`. */
export type CommandGroup = (cli: Cli) => Command | readonly Command[]

/** Builds the whole program: every group, and the options that all of them have. */
export function createProgram(cli: Cli, version: string, groups: readonly CommandGroup[]): Command {
  const program = newCommand(cli, 'tlacacoca')
    .description('certificates, trust on first use, identities and access control for the small web')
    .version(version, '-V, --version')
    .addOption(jsonOption())
  for (const group of groups) for (const command of [group(cli)].flat()) program.addCommand(command)
  return program
}

/** Runs one command line, and gives how the process should end. */
export async function run(
  args: readonly string[],
  io: CliIo,
  version: string,
  groups: readonly CommandGroup[],
): Promise<ExitCode> {
  // Asked before the parser is, because its own errors are to come as JSON too. What follows `--` is no option.
  const end = args.indexOf('--')
  const cli = new Cli(io, (end < 0 ? args : args.slice(0, end)).includes('--json'))
  const program = createProgram(cli, version, groups)
  try {
    await program.parseAsync([...args], { from: 'user' })
    return cli.exitCode
  } catch (error) {
    if (error instanceof CommanderError) return endOfParser(cli, error)
    cli.fail(error)
    return cli.exitCode
  }
}
