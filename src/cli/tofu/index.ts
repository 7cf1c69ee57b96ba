// `tlacacoca tofu …`: what is known of servers.

import { Argument, type Command, Option } from 'commander'
import { type Cli, newCommand } from '../command.ts'
import { withPassphrase } from '../passphrase.ts'
import type { CommandGroup } from '../program.ts'
import { clear, distrust, purge, revoke, trust } from './change.ts'
import { EXPORT_FORMATS, exportHosts, IMPORT_FORMATS, importHosts, ON_CONFLICT } from './exchange.ts'
import { check, history, list, show } from './look.ts'

export const tofuCommands: CommandGroup = (cli) => {
  const tofu = newCommand(cli, 'tofu')
    .description('know servers by their certificates: trust on first use')
    .option('--store <file>', 'the database with the pins (default: pins.db where the data of programs is kept)')
    .option('--hash-names', 'if the store is new, let it keep no names of hosts, but hashes of them')
    .addHelpText('after', EXAMPLES)
  for (const define of [defineLooking, defineChanging, defineExchange]) define(cli, tofu)
  return tofu
}

const SERVER = () => new Argument('<server>', 'host or host:port; the port is 1965 if none is given')

function defineLooking(cli: Cli, tofu: Command): void {
  tofu
    .command('list')
    .description('Lists the servers that are known, in the order of their names.')
    .option('--distrusted', 'list what is never to be trusted instead')
    .action(cli.action(list))

  tofu
    .command('show')
    .description('Shows what is known of a server. Ends with 1 if nothing is pinned.')
    .addArgument(SERVER())
    .action(cli.action(show))

  tofu
    .command('history')
    .description('Shows what happened to the pins of a server, and who decided it.')
    .addArgument(SERVER())
    .action(cli.action(history))

  tofu
    .command('check')
    .description('Says what a certificate would be to a client with this store. Ends with 1 if it would be refused.')
    .addArgument(SERVER())
    .requiredOption('--cert <file>', 'the certificate that the server shows, or its chain; - for the standard input')
    .action(cli.action(check))
}

function defineChanging(cli: Cli, tofu: Command): void {
  tofu
    .command('trust')
    .description('Pins a certificate. If another one is pinned, both are shown and you are asked.')
    .addArgument(SERVER())
    .argument('[fingerprint]', 'its fingerprint, in any usual spelling')
    .option('--cert <file>', 'the certificate itself; - for the standard input')
    .option('--verified', 'it was compared with the word of the owner, by another way than the network')
    .option('--keep-others', 'leave what is pinned as it is, for a server with several certificates')
    .option('--note <text>', 'a remark to keep with it')
    .addOption(forceOption())
    .action(cli.action(trust))

  tofu
    .command('revoke')
    .description('Forgets the pins of a server, so that the next visit is a first one. Marks stay.')
    .argument('<server>', 'host:port, or a host for all of its ports, about which you are asked')
    .addOption(forceOption())
    .action(cli.action(revoke))

  tofu
    .command('distrust')
    .description('Marks a certificate, or a key, as never to be trusted at a server.')
    .addArgument(SERVER())
    .argument('[fingerprint]', 'its fingerprint; spki-sha256:… is that of a key')
    .option('--cert <file>', 'the certificate itself; - for the standard input')
    .option('--key', 'mark the key of that certificate, and so every certificate for it')
    .option('--note <text>', 'a remark to keep with it')
    .option('--lift', 'take such a mark back; what it named is unknown then')
    .action(cli.action(distrust))

  tofu
    .command('clear')
    .description('Forgets every server, and all history. Marks stay. You are asked.')
    .addOption(forceOption())
    .action(cli.action(clear))

  tofu
    .command('purge')
    .description(
      'Forgets the servers that were not seen for a time, and erases their names from the file. You are asked.',
    )
    .requiredOption('--not-seen-for <duration>', 'for how long, such as 365d or 1y')
    .option('--verified', 'forget servers that were verified, too')
    .addOption(forceOption())
    .action(cli.action(purge))
}

function defineExchange(cli: Cli, tofu: Command): void {
  tofu
    .command('import')
    .description('Reads the known hosts of another program, or of another person: all of them, or none.')
    .argument('<file>', 'the file, or - for the standard input; for Offpunk the folder')
    .addOption(new Option('--format <format>', 'whose it is (default: what its content says)').choices(IMPORT_FORMATS))
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--replace', 'forget what is not in the file; you are asked')
    .addOption(
      new Option('--on-conflict <what>', 'what to do where another certificate is pinned')
        .choices(ON_CONFLICT)
        .default('keep'),
    )
    .option('--skip-unusable', 'leave out what cannot be used, instead of importing nothing')
    .option('--signed-by <fingerprint>', 'import it only if this key signed it (spki-sha256:…)')
    .option('--vouched-by <name>', 'what the signer is called; kept with what comes in')
    .option('--signature <file>', 'where the signature is (default: the file, and .sig)')
    .addOption(forceOption())
    .action(cli.action(importHosts))

  withPassphrase(tofu.command('export'))
    .description('Writes the known hosts to a file: our own TOML, or that of another program.')
    .argument('<file>', 'the file, or - for the standard output')
    .addOption(new Option('--format <format>', 'whose file it is').choices(EXPORT_FORMATS).default('tlacacoca'))
    .option('--update', 'write into the file that is there, and keep all else in it')
    .option('--overwrite', 'replace the file that is there')
    .option('--sign <keyfile>', 'sign it by a private key (P-256 or Ed25519), for a friend to import')
    .option('--signature <file>', 'where to write the signature (default: the file, and .sig)')
    .action(cli.action(exportHosts))
}

const forceOption = () => new Option('--force', 'do not ask')

const EXAMPLES = `
Examples:
  tlacacoca tofu list
  tlacacoca tofu check example.org --cert server.pem
  tlacacoca tofu trust example.org 14:6A:4B:… --verified --note 'from the business card'
  tlacacoca tofu import ~/.config/lagrange/trusted.2.txt --on-conflict ask
  tlacacoca tofu export hosts.toml --sign my-key.pem
  tlacacoca tofu import hosts.toml --signed-by spki-sha256:… --vouched-by Ana
  tlacacoca tofu purge --not-seen-for 365d`
