/** Who is signed in and as what; theme, time zone, sign-out. */
import { useState } from "react";
import { Button } from "./control/button.tsx";
import { Choice } from "./control/field.tsx";
import { useMe } from "./me.ts";
import * as SignIn from "./sign-in.ts";
import { setTheme, type Theme, theme } from "./theme.ts";
import * as TimeZone from "./time-zone.ts";

const THEMES: Record<Theme, string> = { system: "System theme", light: "Light", dark: "Dark" };

export function Account({ zone, onZone }: { zone: TimeZone.Zone; onZone(zone: TimeZone.Zone): void }) {
  const me = useMe();
  const [chosen, setChosen] = useState(theme());
  return (
    <div className="account">
      <div>
        <strong>{me.name}</strong>
        <div className="muted">
          {me.roles.join(", ")}
          {me.projects && ` · only ${me.projects.join(", ")}`}
        </div>
      </div>
      <Choice
        label="Times"
        options={{ local: `Browser (${TimeZone.name("local")})`, utc: "UTC" }}
        value={zone}
        onChange={(value) => onZone(value ?? "local")}
      />
      <Choice
        label="Theme"
        options={THEMES}
        value={chosen}
        onChange={(value) => {
          setTheme(value ?? "system");
          setChosen(value ?? "system");
        }}
      />
      <Button onPress={() => SignIn.signOut()}>Sign out</Button>
    </div>
  );
}
