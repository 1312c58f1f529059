import { assertEquals } from "../../lib/deps/std_assert.ts";
import { otherAnswer } from "../../lib/teacher/answer_body.ts";

Deno.test("otherAnswer() names the API of an answer and reads its text", () => {
  const cases: readonly [name: string, body: Record<string, unknown>][] = [
    ["Ollama", { message: { role: "assistant", content: "42" }, done: true }],
    ["Ollama", { response: "42", done: false }],
    ["Anthropic", { type: "message", content: [{ type: "text", text: "42" }] }],
    ["Anthropic", { type: "content_block_delta", delta: { type: "text_delta", text: "42" } }],
    ["Gemini", { candidates: [{ content: { parts: [{ text: "4" }, { text: "2" }] } }] }],
    ["Bedrock", { output: { message: { content: [{ text: "42" }] } }, stopReason: "end_turn" }],
    ["Cohere", { message: { content: [{ type: "text", text: "42" }] }, finish_reason: "COMPLETE" }],
    ["Cohere", { type: "content-delta", delta: { message: { content: { text: "42" } } } }],
    ["DashScope", { output: { text: "42", finish_reason: "stop" } }],
    ["Cloudflare", { result: { response: "42" }, success: true }],
    ["TGI", { generated_text: "42" }],
    ["TGI", { token: { text: "42" }, generated_text: null }],
    ["Triton", { model_name: "ensemble", text_output: "42" }],
    ["llama.cpp", { content: "42", stop: false }],
    ["KoboldCpp", { results: [{ text: "42" }] }],
  ];
  for (const [name, body] of cases) {
    const { message = "", content } = otherAnswer(body) ?? {};
    assertEquals(
      [message.includes(`of ${name}'s own API`), content],
      [true, "42"],
      JSON.stringify(body),
    );
  }
  assertEquals(otherAnswer({ object: "response", output: [] })?.content, "");
  for (const body of [{}, { status: "ok" }, { message: "oh" }, { detail: [{ msg: "x" }] }]) {
    assertEquals(otherAnswer(body), undefined, JSON.stringify(body));
  }
});
