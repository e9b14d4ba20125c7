/** The issuer's pages: plain forms without scripts. */

const escaped = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const STYLE =
  "body{font:16px/1.5 system-ui,sans-serif;display:grid;place-items:center;min-height:100vh;margin:0;background:Canvas;color:CanvasText;color-scheme:light dark}" +
  "main{width:20rem;padding:1rem}h1{font-size:1.25rem}label{display:block;margin:.75rem 0 .25rem}" +
  "input,button{font:inherit;width:100%;box-sizing:border-box;padding:.5rem}button{margin-top:1rem}";

export const STYLE_POLICY_SOURCE = STYLE;

export function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)}</title><style>${STYLE}</style></head><body><main><h1>${escaped(title)}</h1>${body}</main></body></html>`;
}

export const signInPage = (action: string, names: string[], failed: boolean) =>
  page(
    "Sign in to Central LLM",
    `${failed ? '<p role="alert">Name or password is wrong.</p>' : ""}` +
      `<form method="post" action="${escaped(action)}">` +
      '<label for="name">Name</label><input id="name" name="name" autocomplete="username" required autofocus>' +
      '<label for="password">Password</label><input id="password" name="password" type="password" autocomplete="current-password" required>' +
      '<button type="submit">Sign in</button></form>' +
      `<p>Accounts of this machine: ${names.map(escaped).join(", ")}. <code>npm start</code> prints their passwords.</p>`,
  );
