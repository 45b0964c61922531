import kimo_assets.defs.launch as L
import pytest
def test_x(new_company, monkeypatch):
    o=L._what_broke
    def w(result):
        for e in result.all_events:
            if e.is_failure: print("EV", e.message, getattr(e.event_specific_data,'error',None))
        return o(result)
    monkeypatch.setattr(L,"_what_broke",w)
    r=new_company().kimo("import"); 
    print(r.output)
    import sys
    assert r.exit_code==0
