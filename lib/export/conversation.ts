/**
 * Reads a row of any shape as a conversation with its answer.
 *
 * @module
 */

import { originOf } from "../answer.ts";
import { filledList, isObject, jsonOf } from "../json.ts";
import type { RowOptions } from "../run/mod.ts";
import { restoreRow } from "../sink/mod.ts";
import { holdsCalls, type ParsedRow, parseLossless, RowParser, RowProblem } from "../source/mod.ts";
import type { Message } from "../teacher/mod.ts";
import { type Example, NotRestored, withAndWithoutUid } from "./example.ts";
import { prefillOf, readReasoning, reasoningFieldOf, textOf } from "./turns.ts";

export interface Place {
  readonly file: string;
  readonly line: number;
  /**
   * Whether the row's text was copied from the file unchanged. False if it was made from table
   * cells.
   */
  readonly isVerbatim: boolean;
}

/**
 * Fields that may hold the answer. If a row has several of them, the first one counts: TRL's, then
 * those of DPO, Retort, Alpaca and GSM8K. A format's `answerIn` names the field that it writes.
 */
export const ANSWER_FIELDS = ["completion", "chosen", "response", "output", "answer"] as const;

export type AnswerField = typeof ANSWER_FIELDS[number];

/**
 * The only answer field of a results line. Its other `ANSWER_FIELDS` may come from the input row.
 */
const RESULT_FIELDS: readonly AnswerField[] = ["response"];
const REASONING_FIELDS = ["reasoning_content", "reasoning", "thinking"];

export class ConversationReader {
  /** Keeps assistant turns at the end of a row, because the last one is the answer. */
  readonly #parser: RowParser;
  /** Reads rows as a run sends them, without assistant turns at the end. */
  readonly #runParser: RowParser;
  /** Ignores the run's options, such as its template. */
  readonly #defaultParser: RowParser;
  readonly #promptFields: ReadonlySet<string>;
  readonly #uidField: readonly string[] | undefined;
  readonly #needsRowUid: boolean;

  /** @param rows How a run makes prompts from rows, and the share of validation rows. */
  constructor(rows: RowOptions & { readonly validation: number }) {
    const runParams = { continue_final_message: true };
    this.#parser = new RowParser({ ...rows, runParams });
    this.#runParser = new RowParser(rows);
    this.#defaultParser = new RowParser({ runParams });
    this.#uidField = rows.uidField;
    this.#needsRowUid = rows.validation > 0;
    const placeholders = [...(rows.template ?? "").matchAll(/\{\{\s*([^{}\s]+)\s*\}\}/g)];
    const templateFields = placeholders.map(([, name]) => name);
    this.#promptFields = new Set([...templateFields, rows.promptField ?? ""]);
  }

  /** Returns the row as an example, or what is wrong with the row. */
  read(text: string, { file, line, isVerbatim }: Place): Example | RowProblem {
    const row = this.#parser.parse(text);
    if (row instanceof RowProblem) return row;
    const json = isObject(row.json) ? row.json : {};
    const origin = { file, input: file, line, sample: 0, text: row.text, result: json };
    const tools = filledList(row.params?.tools);
    const last = row.messages.at(-1);
    if (this.#hasResponse(json)) {
      const result = this.#resultOf(row, text, json);
      if (result instanceof RowProblem) return result;
      const { inputUid: rowUid } = originOf(json, this.#uidField);
      const example = { ...origin, rowUid, tools, ...result };
      const mayHaveOtherHash = !isVerbatim && !isTextOnly(row);
      return mayHaveOtherHash || this.#isAsSent(row, text, json)
        ? example
        : withoutMessages(example);
    }
    if (last?.role === "assistant") {
      const messages = row.messages.slice(0, -1);
      const rowUid = this.#rowUidOf(row, messages);
      return { ...origin, rowUid, messages, tools, ...answerOf(last) };
    }
    const answers = this.#answersOf(row, text);
    if (answers instanceof RowProblem) return answers;
    const { answer, rejected } = answers;
    const rowUid = this.#rowUidOf(row, row.messages);
    const prompt = { rowUid, messages: row.messages, tools, rejected };
    return { ...origin, ...prompt, ...(answer === undefined ? NO_ANSWER : answerOf(answer)) };
  }

  /**
   * Returns an id that all answers to a prompt share, so that they stay in the same split; ""
   * without validation rows. In the output of an earlier export, the answers may have no uid, or
   * the uids `x`, `x#1` and `x#2`.
   */
  #rowUidOf({ uid, isUidDerived }: ParsedRow, prompt: readonly Message[]): string {
    if (!this.#needsRowUid) return "";
    return isUidDerived ? jsonOf(prompt) : uid.replace(/#[1-9]\d{0,2}$/, "");
  }

  /** Whether `response` holds the answer: the row is a results line, and its prompt does not come
   * from `response`. */
  #hasResponse(json: Record<string, unknown>): boolean {
    return isResultsLine(json) && typeof json.response === "string" &&
      !this.#promptFields.has("response");
  }

  /** Reads the conversation of a results line. An assistant turn at the end of the input row is
   * usually an old answer that was not sent. If `prompt_hash` proves that it was sent, the response
   * continues it. */
  #resultOf(row: ParsedRow, text: string, { prompt_hash: hash }: Record<string, unknown>) {
    const wasSentWhole = row.messages.at(-1)?.role !== "assistant" || row.promptHash === hash;
    const sent = wasSentWhole ? row : this.#runParser.parse(text);
    if (sent instanceof RowProblem) return sent;
    const answer = this.#messageOf(sent, text, "response");
    if (answer instanceof RowProblem) return answer;
    const { messages } = sent, last = messages.at(-1);
    if (last?.role !== "assistant") return { messages, ...answerOf(answer) };
    const prefill = prefillOf(last, reasoningFieldOf(answer) ?? "");
    const content = prefill + (textOf(answer) ?? "");
    return { messages: messages.slice(0, -1), ...answerOf({ ...answer, content }) };
  }

  /** Whether the options restore the prompt that was sent, according to `prompt_hash`. */
  #isAsSent(row: ParsedRow, text: string, { uid, prompt_hash: hash }: Record<string, unknown>) {
    if (hash === "" || row.promptHash === hash) return true;
    const texts = [text, ...withAndWithoutUid(restoreRow(text).text, uid)];
    return this.#runParser.requestWithHash(texts, hash) !== undefined;
  }

  #answersOf(
    row: ParsedRow,
    text: string,
  ): { answer?: Message; rejected?: Message } | RowProblem {
    if (!isObject(row.json)) return {};
    const { json } = row;
    const isAnswerField = (name: string) => !this.#promptFields.has(name) && isAnswer(json[name]);
    const fields = isResultsLine(json) ? RESULT_FIELDS : ANSWER_FIELDS;
    // The text of an answer with tool calls is usually empty.
    const field = fields.find(isAnswerField) ??
      (json.response === "" && holdsCalls(json.tool_calls) ? "response" : undefined);
    if (field === undefined) return {};
    const answer = this.#messageOf(row, text, field);
    if (answer instanceof RowProblem) return answer;
    const isPair = field === "chosen" && isAnswer(json.rejected);
    const rejected = isPair ? this.#messageOf(row, text, "rejected") : undefined;
    return rejected instanceof RowProblem ? rejected : { answer, rejected };
  }

  #messageOf(row: ParsedRow, text: string, field: string): Message | RowProblem {
    const json = row.json as Record<string, unknown>;
    const value = json[field];
    const isText = typeof value === "string";
    const answer: Message = { role: "assistant", content: value };
    // Reasoning is only taken for `response`. In a pair, for example, it could belong to either of
    // the two answers.
    const reasoningField = field === "response" &&
      REASONING_FIELDS.find((name) => isFilledText(json[name]));
    if (reasoningField) answer.reasoning_content = json[reasoningField] as string;
    if (isText && (field !== "response" || !holdsCalls(json.tool_calls))) return answer;
    const exact = parseLossless(text) as Record<string, unknown>;
    const messages = isText ? [{ ...answer, tool_calls: exact.tool_calls }] : [exact[field]].flat();
    // Parsing converts tool calls to the API's form, and gives tool results the ids of their calls.
    const conversation = this.#defaultParser.parse(
      JSON.stringify({ messages: [...row.messages, ...messages] }),
    );
    if (conversation instanceof RowProblem) {
      // The problem names an index in the whole conversation, but users know only the field.
      const problem = conversation.problem.replace(/^"messages(?:\[(\d+)\])?/, (_, index) => {
        const isInList = Array.isArray(value) && index !== undefined;
        return `"${field}${isInList ? `[${index - row.messages.length}]` : ""}`;
      });
      return new RowProblem(problem, conversation.hint);
    }
    const last = conversation.messages.at(-1)!;
    if (last.role === "assistant" && conversation.messages.length === row.messages.length + 1) {
      return last;
    }
    return new RowProblem(`"${field}" must be a single assistant message`);
  }
}

/**
 * Whether the prompt is plain text, which a table does not change. In a table, all structs of a
 * column have the same keys in the same order. This may change tool calls, parts of content and
 * parameters, so that the prompt no longer matches its `prompt_hash`.
 */
function isTextOnly({ messages, params }: ParsedRow): boolean {
  return params === undefined &&
    messages.every((message) =>
      typeof message.content === "string" && Object.keys(message).join() === "role,content"
    );
}

/**
 * Returns the example without its messages. Reading these throws, so unselected rows cause no
 * error.
 */
function withoutMessages(example: Example): Example {
  return {
    ...example,
    get messages(): never {
      throw new NotRestored(
        "the messages that were sent cannot be restored: the prompt_hash differs",
      );
    },
  };
}

const NO_ANSWER = { answer: null, response: "", reasoning: "", toolCalls: undefined } as const;

function answerOf(answer: Message) {
  return { answer, ...readReasoning(answer), toolCalls: filledList(answer.tool_calls) };
}

function isResultsLine({ uid, prompt_hash: hash, distill }: Record<string, unknown>): boolean {
  return typeof uid === "string" && typeof hash === "string" && isObject(distill);
}

function isAnswer(value: unknown): boolean {
  return isFilledText(value) || filledList(value) !== undefined || isObject(value);
}

function isFilledText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}
