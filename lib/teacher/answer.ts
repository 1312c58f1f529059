/**
 * Reads the JSON answer of a chat completion.
 *
 * @module
 */

import type { ApiFormat } from "./api_format.ts";
import { notAnObject, statedError, withoutChoice } from "./broken_answer.ts";
import { errorIn } from "./error_body.ts";
import { finishReasonOf } from "./finish_reason.ts";
import { asObject, asText, type JsonObject, parseJson } from "./json.ts";
import { MessageReader } from "./reasoning.ts";
import type { Redact } from "./secrets.ts";
import type { Completion } from "./teacher.ts";
import type { ThinkTags } from "./think_tags.ts";
import { separateThoughts } from "./thoughts.ts";
import { toolCallsOf } from "./tool_calls.ts";
import { readUsage } from "./usage.ts";

/** What an answer is read with. */
export interface AnswerContext {
  /** The model that was asked. */
  readonly model: string;
  /** The same where the row asked for another one than the teacher's, else undefined. */
  readonly modelAsked: string | undefined;
  /** The tier of service that was asked for, else undefined. */
  readonly tierAsked?: string;
  /** The names of raw fields to keep. */
  readonly keep: readonly string[];
  /** Tags around reasoning in the text, beside those that are known. */
  readonly thinkTags?: ThinkTags;
  /** Takes secrets out of messages. */
  readonly redact: Redact;
  /** The endpoint. @default chat completions */
  readonly format?: ApiFormat;
}

/** Stands for the JSON text of what was translated from another endpoint's words: nothing is found in it. */
export const TRANSLATED = "";

/** The parts of an answer, however they came. */
export interface AnswerParts {
  /** The text, reasoning in tags included. */
  content: string;
  /** Reasoning that came in a field of its own, or "". */
  reasoning: string;
  /** Why the model would not answer, in its own words, or "". */
  refusal: string;
  /** Tool calls in the OpenAI form. */
  toolCalls: readonly unknown[] | undefined;
  /** Why it ended, or "". */
  finishReason: string;
  /** The tier of service that the teacher names, or "". */
  serviceTier: string;
  /** The raw token counts. */
  usage: unknown;
  /** The model that answered, or "". */
  model: string;
  /** The teacher's id for the answer, or "". */
  id: string;
  /** Raw fields that were asked for. */
  kept: Record<string, unknown> | undefined;
  /** Milliseconds to the first token of a stream. */
  ttftMs: number | undefined;
}

/**
 * Makes a completion of the body of a 2xx answer.
 *
 * @throws {TeacherError} If the body is no completion, or says that there was an error.
 */
export function readAnswer(text: string, status: number, context: AnswerContext): Completion {
  const { redact } = context;
  const body = asObject(parseJson(text));
  if (body === undefined) throw notAnObject(text, status, redact);
  const translated = context.format?.answer?.(body);
  const answer = translated ?? body;
  const choice = Array.isArray(answer.choices) ? asObject(answer.choices[0]) : undefined;
  const error = errorIn(choice, answer);
  if (error !== undefined) throw statedError(error, status, redact, body);
  if (choice === undefined) throw withoutChoice(body, "choice", text, status, redact);
  const finishReason = finishReasonOf(choice, answer);
  // Gemini leaves the message out where reasoning has used up the token limit.
  const message = asObject(choice.message) ?? (finishReason === "" ? undefined : {});
  if (message === undefined) {
    throw withoutChoice(body, '"message" in its choice', text, status, redact);
  }
  return toCompletion({
    ...new MessageReader().read(message),
    refusal: asText(message.refusal),
    toolCalls: toolCallsOf(message, {
      text: translated === undefined ? text : TRANSLATED,
      path: ["choices", 0, "message"],
    }),
    finishReason,
    serviceTier: asText(answer.service_tier),
    usage: answer.usage,
    model: asText(answer.model),
    id: asText(answer.id),
    kept: context.keep.length === 0 ? undefined : keptOf(choice, answer, context.keep),
    ttftMs: undefined,
  }, context);
}

/** Makes a completion of its parts. A refusal is what the model answered: it becomes the response. */
export function toCompletion(parts: AnswerParts, context: AnswerContext): Completion {
  const { response, reasoning, toolCalls = [] } = separateThoughts(
    parts.content,
    parts.reasoning,
    context.thinkTags,
  );
  return {
    response: response === "" ? parts.refusal : response,
    isRefusal: parts.refusal !== "",
    reasoning,
    finishReason: parts.finishReason,
    usage: readUsage(parts.usage, parts.model || context.model),
    model: parts.model || context.model,
    modelAsked: context.modelAsked,
    serviceTier: parts.serviceTier || context.tierAsked,
    id: parts.id,
    toolCalls: parts.toolCalls ?? (toolCalls.length > 0 ? toolCalls : undefined),
    ttftMs: parts.ttftMs,
    kept: parts.kept,
  };
}

function keptOf(
  choice: JsonObject,
  answer: JsonObject,
  names: readonly string[],
): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const name of names) {
    if (Object.hasOwn(choice, name)) kept[name] = choice[name];
    else if (Object.hasOwn(answer, name)) kept[name] = answer[name];
  }
  return kept;
}
