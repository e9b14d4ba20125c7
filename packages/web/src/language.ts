/** The browser's language, where it has none that can be used. */

/**
 * A Chromium that runs without a locale (LANG=C) calls its language `en-US@posix`, which Intl refuses. uPlot asks Intl for it when it is
 * loaded, and the page would end there.
 */
export function mendLanguage(): void {
  try {
    Intl.getCanonicalLocales(navigator.language);
  } catch {
    Object.defineProperty(navigator, "language", { value: "en-US", configurable: true });
  }
}
