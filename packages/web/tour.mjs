import { readFileSync, mkdirSync } from "node:fs";
import { launchChromium } from "./browser/chromium.ts";
const acc=Object.fromEntries(JSON.parse(readFileSync("/work/wt/console/.local/console/accounts.json","utf8")).map(a=>[a.name,a.password]));
const url=/CONSOLE_URL=(.*)/.exec(readFileSync("/work/wt/console/.local/env","utf8"))[1];
const out="/tmp/tour"; mkdirSync(out,{recursive:true});
const only=process.argv[2]?.split(",");
const b=await launchChromium();
const ctxs={};
async function open(person,path){
  ctxs[person]??=await b.newContext({viewport:{width:1280,height:860},locale:"en-GB",timezoneId:"Europe/Berlin",reducedMotion:"reduce"});
  const p=await ctxs[person].newPage(); p.setDefaultTimeout(8000);
  p.on("console",m=>m.type()==="error"&&console.log(person,path,m.text().slice(0,200)));
  p.on("pageerror",e=>console.log("PAGEERROR",path,e.message));
  await p.goto(url+path);
  const s=p.getByRole("button",{name:"Sign in",exact:true});
  await s.or(p.getByRole("heading",{level:1})).first().waitFor();
  if(await s.isVisible()){await p.getByLabel("Name").fill(person);await p.getByLabel("Password").fill(acc[person]);await s.click();}
  await p.getByRole("heading",{level:1}).waitFor();
  await p.waitForLoadState("networkidle"); await p.waitForTimeout(700);
  return p;
}
const shots=JSON.parse(readFileSync("/tmp/shots.json","utf8"));
for(const {name,person,path,act} of shots){
  if(only&&!only.includes(name)) continue;
  try{
  const p=await open(person,path);
  if(act) await (new Function("page","return (async()=>{"+act+"})()"))(p);
  await p.waitForTimeout(300);
  for(const [size,vp] of [["w",{width:1280,height:860}],["n",{width:390,height:844}]]) for(const cs of ["light","dark"]){
    if((size==="n"&&cs==="dark")) continue;
    await p.setViewportSize(vp); await p.emulateMedia({colorScheme:cs}); await p.waitForTimeout(250);
    await p.screenshot({path:`${out}/${name}-${size}-${cs}.png`,fullPage:true});
  }
  await p.close();
  }catch(e){console.log(name,String(e).slice(0,300))}
}
await b.close();
