/**
 * Markdown as React elements, made from marked's tokens and never from HTML: markup in the text stays text, addresses
 * are shown and not linked, pictures are not loaded.
 */
import { lexer, type Token, type Tokens } from "marked";
import type { ReactNode } from "react";

/** Index keys throughout: the tokens of a stored text never change. */
const inline = (tokens: Token[] | undefined): ReactNode[] => (tokens ?? []).map(inlineToken);

function inlineToken(token: Token, key: number): ReactNode {
  switch (token.type) {
    case "strong":
      return <strong key={key}>{inline(token.tokens)}</strong>;
    case "em":
      return <em key={key}>{inline(token.tokens)}</em>;
    case "del":
      return <del key={key}>{inline(token.tokens)}</del>;
    case "codespan":
      return <code key={key}>{token.text}</code>;
    case "br":
      return <br key={key} />;
    case "link":
      return (
        <span key={key}>
          {inline(token.tokens)} (<code>{token.href}</code>)
        </span>
      );
    case "image":
      return (
        <span key={key}>
          [picture: {token.text} (<code>{token.href}</code>)]
        </span>
      );
    case "text":
    case "escape":
      return "tokens" in token && token.tokens ? <span key={key}>{inline(token.tokens)}</span> : token.text;
    default:
      return token.raw;
  }
}

function list(token: Tokens.List, key: number): ReactNode {
  const items = token.items.map((item, at) => <li key={at}>{item.tokens.map(block)}</li>);
  return token.ordered ? <ol key={key}>{items}</ol> : <ul key={key}>{items}</ul>;
}

function table({ header, rows }: Tokens.Table, key: number): ReactNode {
  const line = (cells: Tokens.TableCell[], at: number) => (
    <tr key={at}>
      {cells.map((cell, at) => (
        <td key={at}>{inline(cell.tokens)}</td>
      ))}
    </tr>
  );
  return (
    <table key={key}>
      <tbody>{[header, ...rows].map(line)}</tbody>
    </table>
  );
}

function block(token: Token, key: number): ReactNode {
  switch (token.type) {
    case "space":
      return null;
    case "heading":
      return (
        <p key={key}>
          <strong>{inline(token.tokens)}</strong>
        </p>
      );
    case "paragraph":
    case "text":
      return <p key={key}>{token.tokens ? inline(token.tokens) : token.text}</p>;
    case "code":
      return <pre key={key}>{token.text}</pre>;
    case "hr":
      return <hr key={key} />;
    case "blockquote":
      return <blockquote key={key}>{(token.tokens ?? []).map(block)}</blockquote>;
    case "list":
      return list(token as Tokens.List, key);
    case "table":
      return table(token as Tokens.Table, key);
    default:
      return <p key={key}>{token.raw}</p>;
  }
}

export default function Markdown({ text }: { text: string }) {
  return <div className="markdown">{lexer(text, { gfm: true }).map(block)}</div>;
}
