// `tlacacoca identity …`: the certificates by which sites recognise somebody.

import { Argument, type Command, Option } from 'commander'
import { type Cli, newCommand } from '../command.ts'
import { withPassphrase } from '../passphrase.ts'
import { exportIdentities, FORMATS, importIdentities, SOURCE_VARIABLE, TARGET_VARIABLE } from './exchange.ts'
import { addScope, create, KEY_TYPES, list, removeScope, renew } from './keep.ts'
import { deleteOne } from './remove.ts'
import { ROTATION_ACTIONS, rotate } from './rotate.ts'

/** `tlacacoca identity …` */
export function identityCommands(cli: Cli): Command {
  const group = withPassphrase(newCommand(cli, 'identity'))
    .description('keep the certificates by which sites recognise you')
    .option('--wallet <folder>', 'the folder with them (default: identities where the data of programs is kept)')
    .addHelpText('after', EXAMPLES)
  for (const define of [
    defineNew,
    defineList,
    defineScope,
    defineRenew,
    defineRotate,
    defineDelete,
    defineImport,
    defineExport,
  ]) {
    define(cli, group)
  }
  return group
}

const IDENTITY = () => new Argument('<identity>', 'its id, its name, or the fingerprint of its certificate')

function defineNew(cli: Cli, group: Command): void {
  const command = group
    .command('new')
    .description('Makes a key and a certificate. It is shown nowhere, unless you say where.')
    .argument('[name]', 'what you call it; servers never see that')
    .option('--common-name <text>', 'the name in the certificate, which servers do see (default: none)')
    .addOption(new Option('--key-type <type>', 'the kind of key (default: ec-p256)').choices(KEY_TYPES))
    .option('--scope <url>', 'where it is shown: the path of this URL and all below')
    .option('--whole-site', 'show it on the whole site of that URL')
    .option('--encrypt', 'encrypt the key under a passphrase, which is asked for if it comes from nowhere else')
  withValidity(command).action(cli.action(create))
}

function defineList(cli: Cli, group: Command): void {
  group
    .command('list')
    .description('Lists the identities, the one that was used last first.')
    .option('--expiring-within <duration>', 'only those that end within this time, such as 30d, or have ended')
    .action(cli.action(list))
}

function defineScope(cli: Cli, group: Command): void {
  const scope = group.command('scope').description('Says where an identity is shown.')
  scope
    .command('add')
    .description('Shows an identity at a URL and below. If another host knows it already, you are asked.')
    .addArgument(IDENTITY())
    .argument('<url>', 'gemini://example.org/path, or titan, scroll, misfin')
    .option('--whole-site', 'on the whole site of that URL')
    .addOption(new Option('--force', 'do not ask'))
    .action(cli.action(addScope))
  scope
    .command('remove')
    .description('Does not show an identity any more: at a URL that was added, or nowhere.')
    .addArgument(IDENTITY())
    .argument('[url]', 'the URL that was added (default: all)')
    .option('--whole-site', 'the whole site of that URL')
    .action(cli.action(removeScope))
}

function defineRenew(cli: Cli, group: Command): void {
  const command = group
    .command('renew')
    .description(
      'Makes a new certificate for the same key. The old one is kept, for sites that know you by the whole certificate.',
    )
    .addArgument(IDENTITY())
    .option('--revert', 'put the certificate back that there was before')
  withValidity(command).action(cli.action(renew))
}

function defineRotate(cli: Cli, group: Command): void {
  const command = group
    .command('rotate')
    .description(
      'Takes a new key, site by site. The old one is shown until a site is done. Without an action, it begins, or says how far it is.',
    )
    .addArgument(IDENTITY())
    .addArgument(
      new Argument('[action]', 'what to do about a site, or about all of it (default: begin, or say)').choices(
        ROTATION_ACTIONS,
      ),
    )
    .argument('[site]', 'host or host:port; the port is 1965 if none is given')
    .option('--common-name <text>', 'the name in the new certificate (default: as in the old one)')
    .addOption(new Option('--key-type <type>', 'the kind of key (default: ec-p256)').choices(KEY_TYPES))
    .option('--user <id>', 'for whom a statement is, as the site calls you (default: whoever holds the old key)')
    .option('--note <text>', 'a remark to keep with the site')
    .addOption(new Option('--force', 'do not ask'))
  withValidity(command).action(cli.action(rotate)).addHelpText('after', ROTATION_HELP)
}

const ROTATION_HELP = `
Actions:
  statement SITE  prints what the old key says of the new one, to be pasted into the site's page for it; good for an hour
  done SITE       the site knows the new key, which is shown there from now on
  skip SITE       the site is given up, and the old key is shown there as long as it is there
  pending SITE    takes either of them back
  finish          deletes the old identity, once every site is done or skipped; you are asked
  abandon         forgets the plan, and keeps both identities`

function defineDelete(cli: Cli, group: Command): void {
  group
    .command('delete')
    .description('Deletes an identity and its key, for good. You are asked.')
    .addArgument(IDENTITY())
    .option('--even-if-rotating', 'also while it is being replaced, or is what another one is being replaced by')
    .addOption(new Option('--force', 'do not ask'))
    .action(cli.action(deleteOne))
}

function defineImport(cli: Cli, group: Command): void {
  group
    .command('import')
    .description('Reads the identities of another program. What is there already stays as it is.')
    .argument('<source>', 'a file, or - for the standard input; of Lagrange the folder, of Amfora its config.toml')
    .addOption(new Option('--format <format>', 'whose it is (default: by its name)').choices(FORMATS))
    .option('--key <file>', 'the private key, if it is in a file of its own')
    .option('--host-filter <text>', 'the host filter that Kristall has for it')
    .option('--dry-run', 'say what there is, and import nothing')
    .option(
      '--source-passphrase-file <file>',
      `read the passphrase of the source from a file (else $${SOURCE_VARIABLE}, else ask)`,
    )
    .action(cli.action(importIdentities))
}

function defineExport(cli: Cli, group: Command): void {
  group
    .command('export')
    .description('Writes identities for another program. Only PKCS#12 encrypts the keys.')
    .argument('[identities...]', 'ids, names or fingerprints')
    .option('--all', 'all identities')
    .requiredOption('--to <path>', 'the file; for Lagrange and Amfora the folder')
    .option('--key <file>', 'put the private key into a file of its own')
    .addOption(new Option('--format <format>', 'for which program (default: by the name of the file)').choices(FORMATS))
    .option('--legacy', 'write PKCS#12 for old programs, with weak encryption')
    .option('--overwrite', 'replace files that are there')
    .option(
      '--target-passphrase-file <file>',
      `read the passphrase for PKCS#12 from a file (else $${TARGET_VARIABLE}, else ask)`,
    )
    .action(cli.action(exportIdentities))
}

function withValidity(command: Command): Command {
  return command
    .option('--days <number>', 'for how many days the certificate is valid')
    .option('--until <date>', 'or until when, such as 2030-12-31')
    .option('--never-expires', 'or for ever')
}

const EXAMPLES = `
Examples:
  tlacacoca identity new 'my garden' --scope gemini://astrobotany.example/ --whole-site
  tlacacoca identity list --expiring-within 30d
  tlacacoca identity scope add 'my garden' gemini://example.org/club
  tlacacoca identity import ~/.config/lagrange
  tlacacoca identity import phone.p12 --source-passphrase-file secret.txt
  tlacacoca identity export 'my garden' --to garden.p12
  tlacacoca identity rotate 'my garden'
  tlacacoca identity delete 'my garden'`
