// Passwords from a terminal, unseen and twice, or from standard input.

import { Exit, Failure } from '../exit.ts';

const PASSWORD_BYTES_MAX = 65_535;
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const CTRL_U = '\u0015';
const BACKSPACES = ['\u007f', '\b'];

/** The first line of standard input. */
export async function readPassword(): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (chunk.includes(0x0a) || length > 2 * PASSWORD_BYTES_MAX) break;
  }
  const [line] = Buffer.concat(chunks).toString('utf8').split(/\r?\n/, 1);
  return checked(line);
}

export async function askPassword(name: string): Promise<Uint8Array> {
  if (!process.stdin.isTTY) {
    const ways = 'run it in a terminal, or give --stdin or --token';
    throw new Failure(Exit.usage, `passwd: nobody can be asked for a password here; ${ways}`);
  }
  const first = await askUnseen(`Password for "${name}": `);
  const second = await askUnseen('Once more: ');
  if (first !== second) throw new Failure(Exit.usage, 'passwd: these two are not the same');
  return checked(first);
}

function checked(password: string): Uint8Array {
  const bytes = Buffer.from(password);
  if (bytes.length === 0) throw new Failure(Exit.usage, 'passwd: the password is empty');
  if (bytes.length <= PASSWORD_BYTES_MAX) return bytes;
  throw new Failure(Exit.usage, 'passwd: the password is longer than MQTT allows');
}

function askUnseen(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(prompt);
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  stdin.resume();
  return new Promise((resolve, reject) => {
    let typed = '';
    const end = () => {
      stdin.off('data', take);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write('\n');
    };
    const take = (text: string | Buffer) => {
      for (const key of String(text)) {
        if (key === '\r' || key === '\n' || key === CTRL_D) {
          end();
          resolve(typed);
          return;
        }
        if (key === CTRL_C) {
          end();
          reject(new Failure(Exit.usage, 'passwd: nothing was changed'));
          return;
        }
        if (key === CTRL_U) typed = '';
        else if (BACKSPACES.includes(key)) typed = [...typed].slice(0, -1).join('');
        else typed += key;
      }
    };
    stdin.on('data', take);
  });
}
