// A server that can only listen on every address of the computer, where tests listen on 127.0.0.1 only: it runs in a
// network of its own, and connections are carried into it through a socket in the file system. Where the system allows no
// such network (some containers), it runs as it is.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryFolder } from './temporary-folder.ts'

const hasOwnNetworks = spawnSync('unshare', ['-rn', 'true']).status === 0

/**
 * Starts a program that listens on a port, and waits until it can be reached at the same port of 127.0.0.1. It is gone when
 * the test is over.
 */
export async function startInOwnNetwork(command: readonly string[], port: number): Promise<void> {
  const path = join(await temporaryFolder(), 'socket')
  const [program = '', ...args] = [...(hasOwnNetworks ? ['unshare', '-rn'] : []), 'python3', '-c', CARRIER]
  const child = spawn(program, [...args, path, String(port), String(hasOwnNetworks), ...command], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  // At the end of its input it takes the program with it.
  onTestFinished(async () => {
    child.stdin.end()
    if (child.exitCode === null) await once(child, 'exit')
  })
  await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error(`${command[0]} did not start`))),
  ])
  if (!hasOwnNetworks) return

  const server = createServer({ allowHalfOpen: true }, (outside) => {
    const inside = connect({ path, allowHalfOpen: true })
    outside.on('error', () => inside.destroy()).pipe(inside)
    inside.on('error', () => outside.destroy()).pipe(outside)
  })
  onTestFinished(() => void server.close())
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
}

const CARRIER = `
import fcntl, os, socket, struct, subprocess, sys, threading, time

path, port, own, command = sys.argv[1], int(sys.argv[2]), sys.argv[3] == 'true', sys.argv[4:]
if own:
    # SIOCSIFFLAGS, IFF_UP: the new network has nothing but a loopback device, which is down.
    fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 1))
program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

def reach():
    return socket.create_connection(('127.0.0.1', port))

def carry(source, target):
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        target.close()

def serve():
    while True:
        near, _ = listener.accept()
        far = reach()
        threading.Thread(target=carry, args=(near, far), daemon=True).start()
        threading.Thread(target=carry, args=(far, near), daemon=True).start()

while program.poll() is None:
    try:
        reach().close()
        break
    except OSError:
        time.sleep(0.02)
else:
    sys.exit(1)
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(16)
threading.Thread(target=serve, daemon=True).start()
print('ready', flush=True)
sys.stdin.read()
program.kill()
program.wait()
os._exit(0)
`
