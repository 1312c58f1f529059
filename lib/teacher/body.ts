/**
 * Writes request bodies. Retort adds some fields (`Addition`). Once a teacher rejects one of them,
 * later requests omit it, and no row fails because of it.
 *
 * @module
 */

import { TeacherError } from "../errors.ts";
import type { Addition, ApiFormat } from "./api_format.ts";
import type { JsonObject } from "./json.ts";
import type { AskedSchema, Params, TeacherRequest } from "./teacher.ts";

export interface BodyOptions {
  readonly format: ApiFormat;
  /** The model of rows that name none. */
  readonly model: string;
  readonly stream: boolean;
}

/** The body of a request, and the settings in it that the rest of the teacher needs. */
export interface RequestBody {
  readonly text: string;
  /** The model that the body names. */
  readonly model: string;
  /** The model that the row named; undefined if it named none or the teacher's own. */
  readonly modelAsked: string | undefined;
  /** The service tier in the parameters; undefined if they set none. */
  readonly tierAsked: string | undefined;
  /** Fields that Retort added, which the teacher may reject. */
  readonly added: readonly Addition[];
}

interface WrittenParams extends Omit<RequestBody, "text"> {
  /** Compared to see whether the text can be reused. */
  readonly schema: AskedSchema | undefined;
  /** `{"model":"…"` */
  readonly head: string;
  /** `,"temperature":1.0}` */
  readonly tail: string;
}

/** Writes the bodies for one teacher. */
export class BodyWriter {
  readonly #options: BodyOptions;
  readonly #refused = new Set<Addition>();
  // Rows without parameters of their own share one object, so it is written once.
  #written = new WeakMap<Params, WrittenParams>();

  constructor(options: BodyOptions) {
    this.#options = options;
  }

  /** Writes the body of a request. Numbers in parameters keep their original text. */
  write({ messages, params, jsonSchema }: TeacherRequest): RequestBody {
    let written = this.#written.get(params);
    if (written === undefined || written.schema !== jsonSchema) {
      written = this.#writeParams(params, jsonSchema);
      this.#written.set(params, written);
    }
    const { head, tail, model, modelAsked, tierAsked, added } = written;
    const prompt = this.#options.format.prompt(messages);
    let text = head;
    // To stringify one object of all fields and strip its braces would copy every prompt again.
    for (const name in prompt) text += `,"${name}":${JSON.stringify(prompt[name])}`;
    return { text: text + tail, model, modelAsked, tierAsked, added };
  }

  /** The fields of a request as an object, for previews. */
  fields({ messages, params, jsonSchema }: TeacherRequest): Record<string, unknown> {
    return {
      model: this.#modelAsked(params) ?? this.#options.model,
      ...this.#options.format.prompt(messages),
      ...this.#sentFields(params, jsonSchema).fields,
    };
  }

  /** Omits a field from now on. Returns false if it was omitted already. */
  omit(field: Addition): boolean {
    if (this.#refused.has(field)) return false;
    this.#refused.add(field);
    this.#written = new WeakMap();
    return true;
  }

  #modelAsked({ model }: Params): string | undefined {
    return typeof model === "string" && model !== this.#options.model ? model : undefined;
  }

  /** The fields that are sent besides model and prompt, and which of them Retort added. */
  #sentFields(
    params: Params,
    schema: AskedSchema | undefined,
  ): { fields: Params; added: Addition[] } {
    const { format, stream } = this.#options;
    const { model: _, messages: __, stream: ___, ...rest } = params;
    const added: Addition[] = [];
    const fields = format.params(rest, {
      stream,
      responseFormat: schema && mayAddFormat(rest) ? responseFormatOf(schema) : undefined,
      add: (field) => !this.#refused.has(field) && added.push(field) > 0,
    });
    return { fields, added };
  }

  #writeParams(params: Params, schema: AskedSchema | undefined): WrittenParams {
    const modelAsked = this.#modelAsked(params);
    const model = modelAsked ?? this.#options.model;
    const { fields, added } = this.#sentFields(params, schema);
    const tail = JSON.stringify(fields).slice(1);
    return {
      schema,
      head: `{"model":${JSON.stringify(model)}`,
      tail: tail === "}" ? tail : `,${tail}`,
      model,
      modelAsked,
      tierAsked: typeof params.service_tier === "string" ? params.service_tier : undefined,
      added,
    };
  }
}

/** Whether a `response_format` may be added. Many servers reject one together with tools. */
function mayAddFormat(params: Params): boolean {
  return !("response_format" in params) && !("tools" in params) && !("functions" in params);
}

function responseFormatOf({ name, schema, strict, description }: AskedSchema): JsonObject {
  return { type: "json_schema", json_schema: { name, description, schema, strict } };
}

interface FieldWords {
  /** Matches error messages that are about the field. */
  readonly pattern: RegExp;
  /** The field in messages for the user. */
  readonly what: string;
  /** What the run loses without the field. */
  readonly loss: string;
}

const FIELD_WORDS: Readonly<Record<Addition, FieldWords>> = {
  response_format: {
    // DeepSeek, Groq, OpenAI, vLLM (`xgrammar` to `guided`) and llama.cpp, in this order.
    pattern:
      /response[ _.]?format|json[ _]?schema|text\.format|xgrammar|structured[ _]?output|guided|\bgrammar\b/i,
    what: "response_format",
    loss: "answers are still checked against the schema",
  },
  stream_options: {
    pattern: /stream[ _]?options|include[ _]?usage/i,
    what: "stream_options",
    loss: "tokens may not be counted",
  },
  "reasoning.summary": {
    pattern: /\breasoning\b/i,
    what: "reasoning.summary",
    loss: "answers may come without their reasoning",
  },
  store: {
    pattern: /\bstore\b/i,
    what: "store",
    loss: "the teacher may store requests",
  },
};

/** Statuses of responses that reject a field. Some servers respond to a schema with 500. */
const STATUSES = new Set([400, 404, 415, 422, 500, 501]);
/** Characters of an error message that are searched: later ones may quote the request. */
const SEARCHED_CHARS = 300;

/**
 * Checks whether an error is about a field that Retort added. If it is, later requests omit the
 * field, and the returned error is marked as adjusted: the row is sent again. Otherwise, returns
 * `error`.
 *
 * @param added The fields that were added to the request.
 * @param address The teacher, for the notice.
 */
export function withdrawRefused(
  error: unknown,
  added: readonly Addition[],
  bodies: BodyWriter,
  address: string,
): unknown {
  if (!(error instanceof TeacherError) || !mayBlameField(error)) return error;
  const searched = error.message.slice(0, SEARCHED_CHARS);
  const field = added.find((addition) => FIELD_WORDS[addition].pattern.test(searched));
  if (field === undefined) return error;
  // Several requests with the field may be in flight: only the first error notifies the user.
  const isFirst = bodies.omit(field);
  const { what, loss } = FIELD_WORDS[field];
  return new TeacherError(error.message, {
    type: error.type,
    status: error.status,
    code: error.code,
    cause: error.cause,
    isAdjusted: true,
    notice: isFirst
      ? `The teacher at ${address} refuses ${what} (${error.message}): ` +
        `requests leave it out from now on; ${loss}`
      : undefined,
  });
}

function mayBlameField({ status, type }: TeacherError): boolean {
  return status === undefined ? type === "response" : status < 300 || STATUSES.has(status);
}
