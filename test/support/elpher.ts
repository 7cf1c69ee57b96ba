// Elpher, a client within Emacs, without a screen. What it would show is what is in its buffer.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
import { hasProgram } from './field-program.ts'

/** Whether it is installed; in continuous integration it must be. */
export function hasElpher(): boolean {
  if (!hasProgram('emacs')) return false
  const load = ['--batch', '--eval', "(progn (package-initialize) (require 'elpher))"]
  if (spawnSync('emacs', load, { stdio: 'ignore' }).status === 0) return true
  if (process.env.CI === 'true') throw new Error('Elpher is not installed, and continuous integration tests with it')
  console.warn('not tested with Elpher: it is not installed')
  return false
}

/** A page to open, until a text is in it. From then on an identity may be in use, as Elpher installs one from files. */
export interface ElpherVisit {
  readonly url: string
  readonly until: string
  readonly install?: { readonly cert: string; readonly key: string }
}

/** Opens one page after another, and gives what was shown of each at the end. */
export async function elpher(home: string, visits: readonly ElpherVisit[]): Promise<string[]> {
  await mkdir(join(home, 'certificates'), { recursive: true })
  const child = spawn('emacs', ['--batch', '--eval', SCRIPT], {
    env: { ...process.env, HOME: home, VISITS: JSON.stringify(visits) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  const screens = stdout.split('\f').slice(0, -1)
  if (screens.length !== visits.length) throw new Error(`Emacs ended early: ${stdout}\n${stderr}`)
  return screens
}

// Emacs 28 sometimes forgets to say that a handshake is done, so that Elpher sends nothing until its time is over, to any
// server. Its user would press the key for "again", and so does this.
const SCRIPT = `(progn
  (package-initialize)
  (require 'elpher)
  (require 'json)
  (setq elpher-connection-timeout 2
        elpher-ipv4-always t
        elpher-certificate-directory (expand-file-name "~/certificates/"))
  (defun shown (text)
    (with-current-buffer (get-buffer-create "*elpher*")
      (goto-char (point-min))
      (search-forward text nil t)))
  (defun await-page (text)
    (let ((until (+ (float-time) 6)))
      (while (and (< (float-time) until) (not (shown text)) (not (shown "- ERROR -")))
        (accept-process-output nil 0.05))))
  (let ((json-object-type 'alist))
    (seq-doseq (visit (json-read-from-string (getenv "VISITS")))
      (elpher-go (alist-get 'url visit))
      (let ((text (alist-get 'until visit)) (tries 12))
        (await-page text)
        (while (and (not (shown text)) (> (setq tries (1- tries)) 0))
          (elpher-reload)
          (await-page text)))
      (princ (with-current-buffer "*elpher*" (buffer-string)))
      (princ "\\f")
      (let ((files (alist-get 'install visit)))
        (when files
          (setq elpher-client-certificate
                (elpher-install-and-use-existing-certificate
                 (alist-get 'key files) (alist-get 'cert files) "installed")))))))`
