/** How long a prompt is, as far as that can be told without the tokenizer of its model. */

/** In tokens, but for the bytes. */
export interface PromptSize {
  /** It surely takes no fewer. */
  readonly least: number
  /** It is hardly longer. */
  readonly most: number
  /** Of the request's body, without the data of pictures and sound. */
  readonly textBytes: number
  /** Of the same, where they are fewer; to be asked only where it decides something. */
  readonly characters?: () => number
  /** Pictures, sounds and files. */
  readonly media: number
}
