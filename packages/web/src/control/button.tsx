import { Button as AriaButton, type ButtonProps } from "react-aria-components/Button";
import { ToggleButton, type ToggleButtonProps } from "react-aria-components/ToggleButton";

type Look = "primary" | "danger" | "quiet" | "small" | "quiet small" | "primary small";

export function Button({ look, ...props }: ButtonProps & { look?: Look }) {
  return <AriaButton {...props} className={look ? `button ${look}` : "button"} />;
}

/** Stays pressed, and says so. */
export function Toggle({ look, ...props }: ToggleButtonProps & { look?: Look }) {
  return <ToggleButton {...props} className={look ? `button ${look}` : "button"} />;
}
