// A program at a terminal, with somebody typing: Python's standard library opens the pseudo-terminal, since Node cannot.

import { spawn, spawnSync } from 'node:child_process'

/** Whether this computer has what is needed. */
export const HAS_PSEUDO_TERMINALS =
  process.platform !== 'win32' && spawnSync('python3', ['-c', 'import pty, termios']).status === 0

/** Something to type once a text has appeared: one key after another, or all at once as it is pasted. */
export interface Keystrokes {
  readonly after: string
  readonly type: string
  readonly paste?: boolean
}

/** What the terminal showed, and how the program left it. */
export interface TerminalSession {
  /** Everything that would be on the screen: what the program wrote, and the echo of what was typed. */
  readonly screen: string
  /** Whether the terminal echoes again what is typed. */
  readonly echoes: boolean
  readonly code: number | null
  readonly signal: string | null
}

/** Runs a command at a terminal. A text to wait for that does not appear within 20 seconds ends it by SIGKILL. */
export async function runInTerminal(
  command: readonly string[],
  keystrokes: readonly Keystrokes[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly signalAfter?: { text: string; signal: string } } = {},
): Promise<TerminalSession> {
  const child = spawn('python3', ['-c', DRIVER], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(
    JSON.stringify({ command, keystrokes, env: { ...process.env, ...options.env }, kill: options.signalAfter ?? null }),
  )
  let output = ''
  for await (const chunk of child.stdout) output += chunk
  return JSON.parse(output) as TerminalSession
}

// The program gets a terminal of its own as its controlling one. The driver keeps the other end of it and a descriptor of
// the terminal itself, so that it can ask for its settings when the program is gone.
const DRIVER = `
import fcntl, json, os, pty, select, signal, struct, sys, termios, time

job = json.load(sys.stdin)
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
pid = os.fork()
if pid == 0:
    os.setsid()
    for target in (0, 1, 2):
        os.dup2(slave, target)
    os.close(master)
    os.close(slave)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.execvpe(job['command'][0], job['command'], job['env'])

def unread():
    return struct.unpack('i', fcntl.ioctl(slave, termios.FIONREAD, bytes(4)))[0]

screen = b''
seen = 0
keys = []
steps = list(job['keystrokes'])
kill = job['kill']
deadline = time.monotonic() + 20
status = None
while True:
    if status is None:
        done, ended = os.waitpid(pid, os.WNOHANG)
        if done:
            status = ended
    ready, _, _ = select.select([master], [], [], 0 if status is not None else 0.001 if keys else 0.05)
    if ready:
        try:
            screen += os.read(master, 65536)
        except OSError:
            break
    elif status is not None:
        break
    while steps and steps[0]['after'].encode() in screen[seen:]:
        step = steps.pop(0)
        seen = screen.index(step['after'].encode(), seen) + len(step['after'].encode())
        typed = step['type'].encode()
        keys += [typed] if step.get('paste') else [bytes([key]) for key in typed]
    # Nobody types faster than a program reads.
    if keys and unread() == 0:
        os.write(master, keys.pop(0))
    if kill is not None and kill['text'].encode() in screen:
        os.kill(pid, getattr(signal, kill['signal']))
        kill = None
    if time.monotonic() > deadline and status is None:
        os.kill(pid, signal.SIGKILL)
        deadline += 20

echoes = bool(termios.tcgetattr(slave)[3] & termios.ECHO)
print(json.dumps({
    'screen': screen.decode('utf8', 'replace'),
    'echoes': echoes,
    'code': os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
    'signal': signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else None,
}))
`
