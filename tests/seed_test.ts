import { assertEquals } from "../lib/deps/std_assert.ts";
import { parseLossless } from "../lib/source/json_values.ts";
import { resampled, reseeded } from "../lib/params.ts";
import type { Params } from "../lib/teacher/teacher.ts";

for (
  const [before, by, after] of [
    [`{"seed":7,"top_p":1.0}`, 1, `{"seed":8,"top_p":1.0}`],
    [`{"seed":0}`, 3, `{"seed":3}`],
    [`{"seed":-1}`, 1, `{"seed":0}`],
    [`{"seed":1.0}`, 2, `{"seed":3}`],
    [`{"seed":1e3}`, 2, `{"seed":1002}`],
    [`{"seed":"9223372036854775806"}`, 1, `{"seed":"9223372036854775807"}`],
    [`{"random_seed":5}`, 1, `{"random_seed":6}`],
    [`{"seed":1234567890123456789}`, 1, `{"seed":1234567890123456790}`],
    [`{"seed":9007199254740992}`, 1, `{"seed":9007199254740993}`],
    [`{"seed":9223372036854775806}`, 1, `{"seed":9223372036854775807}`],
    [`{"seed":9223372036854775806}`, 2, `{"seed":0}`],
    [`{"seed":18446744073709551000}`, 2, `{"seed":18446744073709551002}`],
  ] as [string, number, string][]
) {
  Deno.test(`reseeded() makes ${after} of ${before} and ${by}`, () => {
    const params = Object.freeze(parseLossless(before)) as Params;
    assertEquals(JSON.stringify(reseeded(params, by)), after);
    assertEquals(JSON.stringify(params), before);
  });
}

Deno.test("reseeded() gives parameters back that hold no integer seed", () => {
  for (
    const text of [`{}`, `{"top_k":1}`, `{"seed":null}`, `{"seed":"x7"}`, `{"seed":1.5}`]
      .concat(`{"seed":1e400}`, `{"seed":{}}`, `{"__proto__":{"seed":1}}`)
  ) {
    const params = parseLossless(text) as Params;
    assertEquals(reseeded(params, 1) === params, true, text);
  }
  const params = { seed: 7 };
  assertEquals(reseeded(params, 0) === params, true);
});

Deno.test("resampled() gives no seed that another sample of the row has", () => {
  // The largest integer of 64 bits is 9223372036854775807.
  for (const text of ["7", "-500", "9223372036854775300", "9223372036854775807"]) {
    const first = parseLossless(`{"seed":${text}}`) as Params;
    const samples = Array.from({ length: 1_000 }, (_, index) => reseeded(first, index));
    const seeds = samples.concat(
      samples.map((params) => resampled(params)),
      samples.map((params) => resampled(params, 2)),
    )
      .map(({ seed }) => JSON.stringify(seed));
    assertEquals(new Set(seeds).size, 3_000, text);
    assertEquals(JSON.stringify(first), `{"seed":${text}}`);
  }
  const params = { top_p: 1 };
  assertEquals(resampled(params) === params, true);
});

Deno.test("resampled() gives the seed of the answer after a number of rejections", () => {
  let params: Params = { seed: 7, top_p: 1 };
  for (let times = 0; times < 5; times++) {
    assertEquals(resampled({ seed: 7, top_p: 1 }, times), params);
    params = resampled(params);
  }
});
