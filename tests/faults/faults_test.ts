/** The quick set of the fault trials; `deno task soak` runs the long one. @module */

import { assertGreater } from "../../lib/deps/std_assert.ts";
import { cutTrial } from "./cuts.ts";
import { inputTrials } from "./inputs.ts";
import { KILL_SCENARIOS, killTrial } from "./kills.ts";
import { startTeacher } from "./ledger.ts";
import { NETWORK_MODES, networkTrial } from "./network.ts";

const SEED = 20_261;
const QUICK_KILLS = ["resample and escalate, faults", "samples growing"];

Deno.test("kill -9 loses no acknowledged row, and of paid answers only those in flight", async (t) => {
  await using teacher = await startTeacher();
  for (const scenario of KILL_SCENARIOS.filter(({ name }) => QUICK_KILLS.includes(name))) {
    await t.step(scenario.name, async () => {
      assertGreater((await killTrial(teacher, scenario, { kills: 2, seed: SEED })).kills, 0);
    });
  }
});

Deno.test("output files truncated at any byte lose only the rows whose lines are incomplete", async () => {
  assertGreater(await cutTrial(131), 10);
});

Deno.test("an attempt is one POST and whole answers are kept, whatever the network does", async (t) => {
  for (const mode of NETWORK_MODES.filter((_, i) => i % 21 === 0)) {
    const name = `${mode.name}, ${mode.stream ? "streamed" : "plain"}, ${mode.on} connections`;
    await t.step(name, () => networkTrial(mode));
  }
});

Deno.test("rows come back as they were, whatever file they are in", () => inputTrials(15, SEED));
