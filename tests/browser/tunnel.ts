/**
 * What may be between a browser and the monitor: a tunnel with its own port, as `ssh -L` makes it,
 * or a proxy that removes a path prefix.
 *
 * @module
 */

/** Forwards bytes. */
export interface Tunnel extends AsyncDisposable {
  /** Port at the browser's end. */
  readonly port: number;
  /** Cuts all connections, and accepts none until `restore()`. */
  cut(): void;
  /** Accepts connections again. @param port The port they go to. @default the one before */
  restore(port?: number): void;
}

/**
 * Opens a tunnel to a port of this machine. `prefix` (`/runs/7`) is removed from the path of each
 * request. The port of a server that is gone may be another program's at once; a tunnel keeps its
 * port.
 */
export function openTunnel(port: number, prefix = ""): Tunnel {
  let target = port;
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const pipes = new Map<Deno.Conn, Promise<unknown>>();
  let isCut = false;
  const accept = async () => {
    for await (const near of listener) {
      // Without a server at its end, a tunnel closes a connection, and stays open itself.
      const far = await Deno.connect({ hostname: "127.0.0.1", port: target }).catch(() =>
        undefined
      );
      if (far === undefined || isCut) {
        closeOnce(near);
        if (far !== undefined) closeOnce(far);
        continue;
      }
      const close = () => {
        for (const end of [near, far]) closeOnce(end);
      };
      const both = Promise.all([
        pass(near, far, (bytes) => withoutPrefix(bytes, prefix)),
        pass(far, near, (bytes) => bytes),
      ]);
      pipes.set(near, both.finally(close));
    }
  };
  const accepting = accept();
  const cut = () => {
    isCut = true;
    for (const near of pipes.keys()) closeOnce(near);
  };
  return {
    port: listener.addr.port,
    cut,
    restore(port = target) {
      target = port;
      isCut = false;
    },
    async [Symbol.asyncDispose]() {
      cut();
      listener.close();
      await accepting;
      await Promise.all(pipes.values());
    },
  };
}

async function pass(
  from: Deno.Conn,
  to: Deno.Conn,
  change: (bytes: Uint8Array) => Uint8Array,
): Promise<void> {
  const buffer = new Uint8Array(65_536);
  try {
    for (let n = await from.read(buffer); n !== null; n = await from.read(buffer)) {
      const bytes = change(buffer.subarray(0, n));
      for (let sent = 0; sent < bytes.length;) sent += await to.write(bytes.subarray(sent));
    }
  } catch {
    // One of the ends was closed.
  }
  closeOnce(to);
}

function closeOnce(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It is already closed.
  }
}

/**
 * Removes the prefix. A browser begins each request in a packet of its own, and no other bytes look
 * like a request.
 */
function withoutPrefix(bytes: Uint8Array, prefix: string): Uint8Array {
  if (prefix === "") return bytes;
  const text = decoder.decode(bytes);
  const [start, path] = /^(?:GET|POST) (\S+) HTTP\/1\.1\r\n/.exec(text) ?? [];
  if (start === undefined || !path.startsWith(`${prefix}/`)) return bytes;
  return encoder.encode(text.replace(prefix, ""));
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
