import { assertEquals } from "../../lib/deps/std_assert.ts";
import { proxyOf } from "../../cli/connection.ts";

const PROXY = "http://proxy.example:3128";

function proxyFor(baseUrl: string, variables: Record<string, string>): string | undefined {
  return proxyOf(baseUrl, { env: (name) => variables[name] });
}

Deno.test("the proxy is that of the scheme, else that of all schemes, in lower or upper case", () => {
  const variables = { HTTP_PROXY: "http://a", https_proxy: "http://b", ALL_PROXY: "http://c" };
  assertEquals(proxyFor("http://host/v1", variables), "http://a");
  assertEquals(proxyFor("https://host/v1", variables), "http://b");
  assertEquals(proxyFor("https://host/v1", { ALL_PROXY: "http://c" }), "http://c");
  assertEquals(proxyFor("https://host/v1", { HTTP_PROXY: "http://a" }), undefined);
  assertEquals(proxyFor("http://host/v1", { HTTP_PROXY: "", ALL_PROXY: "http://c" }), "http://c");
});

/** An entry of `NO_PROXY`, an address, and whether it is called directly. */
const CASES: readonly (readonly [entry: string, address: string, isDirect: boolean])[] = [
  ["*", "https://api.example/v1", true],
  ["*:8443", "https://api.example/v1", false],
  ["api.example", "https://api.example/v1", true],
  ["API.Example", "https://api.example/v1", true],
  ["api.example", "https://eu.api.example/v1", true],
  ["api.example", "https://myapi.example/v1", false],
  [".example", "https://api.example/v1", true],
  [".api.example", "https://api.example/v1", true],
  ["*.example", "https://api.example/v1", true],
  ["*.example", "https://example.com/v1", false],
  ["api.example.", "https://api.example/v1", true],
  ["api.example", "https://api.example./v1", true],
  ["bücher.example", "https://xn--bcher-kva.example/v1", true],
  ["other, api.example", "https://api.example/v1", true],
  ["other api.example", "https://api.example/v1", true],
  ["", "https://api.example/v1", false],
  [",", "https://api.example/v1", false],
  ["api.example:8443", "https://api.example:8443/v1", true],
  ["api.example:8443", "https://api.example/v1", false],
  ["api.example:443", "https://api.example/v1", true],
  ["api.example:80", "http://api.example/v1", true],
  ["api.example:80", "https://api.example/v1", false],
  [".example:8000", "http://gpu.example:8000/v1", true],
  ["10.0.0.7", "http://10.0.0.7:8000/v1", true],
  ["10.0.0.7:8000", "http://10.0.0.7:8000/v1", true],
  ["10.0.0.7:8001", "http://10.0.0.7:8000/v1", false],
  ["0.0.7", "http://10.0.0.7:8000/v1", false],
  ["10.0.0.0/8", "http://10.1.2.3:8000/v1", true],
  ["10.0.0.0/8", "http://11.1.2.3:8000/v1", false],
  ["10.1.0.0/16", "http://10.2.2.3:8000/v1", false],
  ["0.0.0.0/0", "http://11.1.2.3/v1", true],
  ["10.0.0.0/33", "http://10.0.0.0/v1", false],
  ["10.0.0.0/", "http://11.1.2.3/v1", false],
  ["10.0.0.0/8", "http://ten.example/v1", false],
  ["fd00::7", "http://[fd00::7]:8000/v1", true],
  ["[fd00::7]", "http://[fd00::7]:8000/v1", true],
  ["[fd00:0:0::7]:8000", "http://[fd00::7]:8000/v1", true],
  ["[fd00::7]:8001", "http://[fd00::7]:8000/v1", false],
  ["fd00::8", "http://[fd00::7]:8000/v1", false],
  ["fd00::/8", "http://[fd12::7]:8000/v1", true],
  ["fd00::/8", "http://[fe80::7]:8000/v1", false],
  ["fd00::/8", "http://10.0.0.7/v1", false],
];

Deno.test("NO_PROXY names exceptions in the forms of curl, Go and undici", () => {
  for (const [entry, address, isDirect] of CASES) {
    const proxy = proxyFor(address, { ALL_PROXY: PROXY, NO_PROXY: entry });
    assertEquals(proxy, isDirect ? undefined : PROXY, `${entry} and ${address}`);
  }
});

Deno.test("NO_PROXY may name the host of dns+http: its addresses are exceptions, too", () => {
  const env = (name: string) => ({ ALL_PROXY: PROXY, NO_PROXY: ".corp.example" })[name];
  const list = "dns+http://vllm.corp.example:8000/v1";
  assertEquals(proxyOf("http://10.0.0.7:8000/v1", { env }, list), undefined);
  assertEquals(proxyOf("http://10.0.0.7:8000/v1", { env }, "dns+http://vllm.example/v1"), PROXY);
  assertEquals(proxyOf("http://10.0.0.7:8000/v1", { env }, "@endpoints.txt"), PROXY);
});
