"""Conversations in other languages, and translations."""

from reviewapp.demo.scenario import Call, Fetch, Say, Scenario, User, Variation

TRANSLATOR = "You translate for a shop. Keep numbers, units and product names. Return the translation only."


def german_invoice(case: Variation) -> Scenario:
    is_wrong = case.outcome("richtig", "falscher Satz") == "falscher Satz"
    rate, tax = ("7 %", "6,48 €") if is_wrong else ("19 %", "15,81 €")
    return Scenario(
        agent="kundendienst",
        provider_format="openai",
        model="gpt-4o",
        system=(
            "Du bist der Kundendienst eines Onlinehandels für Bürobedarf. Antworte knapp, mit Sie, und nur aus der "
            "Bestellung."
        ),
        steps=(
            User(
                "Guten Tag, auf der Rechnung fehlt die Umsatzsteuer. Ich brauche sie für die Buchhaltung, Bestellung "
                "B-55210."
            ),
            Call(
                "bestellung_lesen",
                {"nummer": "B-55210"},
                {"artikel": "Aktenschrank A4", "brutto": 99.0, "satz": 19, "status": "geliefert"},
            ),
            Call("rechnung_senden", {"nummer": "B-55210", "fassung": 2}, {"gesendet": True}),
            Say(
                "Guten Tag, entschuldigen Sie bitte die unvollständige Rechnung. Eine neue Fassung ist soeben an "
                f"Ihre E-Mail-Adresse gegangen. Sie weist **{rate} Umsatzsteuer, also {tax}**, im Betrag von 99,00 € "
                "aus.\n\nDie erste Fassung können Sie vernichten; gültig ist die neue mit dem Zusatz „Fassung 2“."
            ),
        ),
        tags=("billing",),
        metadata={"intent": "invoice", "locale": "de-DE"},
    )


def spanish_double_charge(case: Variation) -> Scenario:
    amount = case.pick("34,90", "58,00", "120,50")
    return Scenario(
        agent="atencion-al-cliente",
        provider_format="responses",
        model="gpt-4.1",
        system=(
            "Eres el equipo de atención al cliente de un gimnasio. Trata de tú, sé breve y nunca prometas fechas "
            "bancarias."
        ),
        history=(
            User("hola, me habéis cobrado dos veces"),
            Say("Hola, vaya. ¿Me dices la fecha y el importe que ves en tu banco?"),
        ),
        steps=(
            User(f"Las dos el día 3, {amount} € cada una. Quiero que me devolváis una ya."),
            Call(
                "ver_cobros",
                {"socio": case.id("S-"), "mes": case.iso(0)[:7]},
                [{"importe": amount, "estado": "cobrado"}, {"importe": amount, "estado": "autorización caducada"}],
            ),
            Say(
                f"Ya lo veo: el cobro bueno es uno, de {amount} €. El otro es solo una **autorización** que tu banco "
                "reservó y que ha caducado; no llegó a cobrarse, así que desaparecerá de tus movimientos por sí "
                "sola.\n\nSi dentro de una semana sigue ahí, escríbeme y abrimos una reclamación con el banco."
            ),
        ),
        tags=("billing",),
        metadata={"intent": "double-charge", "locale": "es-ES"},
    )


def portuguese_delivery(case: Variation) -> Scenario:
    return Scenario(
        agent="atendimento",
        provider_format="langchain",
        model="gpt-4o-mini",
        system=(
            "Você atende clientes de uma livraria em São Paulo. Seja cordial, direto e confira o rastreio antes de "
            "responder."
        ),
        steps=(
            User(
                "Oi! Meu pedido de livros tá parado em Curitiba há uma semana, é presente de aniversário pra sábado :("
            ),
            Call(
                "rastrear",
                {"codigo": case.id("BR", 9)},
                {"local": "Curitiba/PR", "evento": "retido por endereço incompleto"},
            ),
            Call(
                "corrigir_endereco",
                {"complemento": "apto 42"},
                error=("PermissionError", "A transportadora exige o titular"),
            ),
            Say(
                "Oi! Achei o motivo: a transportadora reteve o pacote porque o endereço está **sem o número do "
                "apartamento**. Tentei corrigir por aqui, mas ela só aceita a correção de quem comprou.\n\n"
                "É rápido: no link de rastreio, toque em “corrigir endereço” e escreva *apto 42*. Feito hoje, o "
                "pacote ainda chega na sexta. Se não der certo, mando outro exemplar pela loja da Paulista."
            ),
        ),
        tags=("tracking", "tool-error"),
        metadata={"intent": "tracking", "locale": "pt-BR"},
    )


def japanese_warranty(case: Variation) -> Scenario:
    return Scenario(
        agent="support-agent",
        provider_format="gemini",
        model="gemini-2.5-pro",
        system=(
            "あなたは家電メーカーのサポート担当です。丁寧に、事実だけを簡潔に答えてください。保証の判断は必ず照会して"
            "ください。"
        ),
        steps=(
            User("炊飯器の内ぶたが割れました。買ってから1年2か月です。保証で直りますか。"),
            Call(
                "hoshou_shoukai",
                {"kataban": "RC-10", "kounyuu": case.iso(-425)},
                {"hoshou": "終了", "kikan": "1年", "buhin": {"内ぶた": {"kakaku": 1980, "zaiko": True}}},
            ),
            Say(
                "お困りのところ恐れ入ります。保証期間は1年のため、今回は**保証の対象外**となります。\n\n"
                "内ぶたは部品としてご購入いただけます。\n\n| 部品 | 価格(税込) | 在庫 |\n|---|--:|---|\n"
                "| 内ぶた RC-10用 | 1,980円 | あり |\n\n工具なしで交換できます。ご注文をご希望でしたら、このままお申"
                "し付けください。"
            ),
        ),
        tags=("warranty",),
        metadata={"intent": "warranty", "locale": "ja-JP"},
    )


def arabic_address(case: Variation) -> Scenario:
    order = case.id("NW-")
    return Scenario(
        agent="support-agent",
        provider_format="anthropic",
        model="claude-sonnet-4-5",
        system="أنت موظف خدمة العملاء في متجر إلكتروني. أجب بالعربية الفصحى وباختصار، ولا تعد بما لا تراه في النظام.",
        steps=(
            User(
                f"السلام عليكم، طلبت سماعة رقم الطلب {order} وانتقلت إلى بيت جديد. هل يمكن تغيير عنوان التوصيل قبل "
                "الشحن؟"
            ),
            Call(
                "lookup_order", {"order_id": order}, {"status": "packed", "ships": case.iso(1), "address_locked": False}
            ),
            Call("change_address", {"order_id": order, "city": "الرياض", "district": "حي الياسمين"}, {"ok": True}),
            Say(
                "وعليكم السلام ورحمة الله. نعم، لم يُشحن طلبك بعد، وقد غيّرتُ العنوان إلى **حي الياسمين، "
                f"الرياض**.\n\n- رقم الطلب: {order}\n- موعد الشحن: غدًا\n- مدة التوصيل: من يومين إلى ثلاثة أيام\n\n"
                "ستصلك رسالة تأكيد على هاتفك بعد قليل، فتأكد من رقم المبنى فيها."
            ),
        ),
        tags=("address",),
        metadata={"intent": "address", "locale": "ar-SA"},
    )


def chinese_points(case: Variation) -> Scenario:
    points = case.pick("3200", "5800", "12600")
    is_wrong = case.outcome("正确", "算错") == "算错"
    money = int(points) // (10 if is_wrong else 100)
    return Scenario(
        agent="member-service",
        provider_format="gen_ai",
        model="gpt-4.1",
        system="你是一家连锁咖啡店的会员客服。回答要简短、准确。100 积分抵 1 元,积分两年后过期。",
        steps=(
            User("我的积分能抵多少钱?什么时候过期?"),
            Call("get_points", {"member": case.id("M")}, {"points": int(points), "expires": case.iso(58)}),
            Say(
                f"您现在有 **{points}** 积分,可抵 **{money} 元**。其中最早的一批将在 {case.iso(58)} 过期,建议在此之前"
                "使用。"
            ),
        ),
        tags=("loyalty",),
        metadata={"intent": "points", "locale": "zh-CN"},
    )


def manual_to_german(case: Variation) -> Scenario:
    is_wrong = case.outcome("right", "number changed") == "number changed"
    torque = "12 Nm" if is_wrong else "1.2 Nm"
    source = "Tighten the four screws crosswise to 1.2 Nm. Do not use thread lock. Wait 24 hours before loading it."
    return Scenario(
        agent="translator",
        provider_format="plain",
        model="mistral-small-latest",
        system=TRANSLATOR + " Target language: German.",
        steps=(
            User(source),
            Say(
                f"Ziehen Sie die vier Schrauben über Kreuz mit {torque} an. Verwenden Sie keine Schraubensicherung. "
                "Warten Sie 24 Stunden, bevor Sie die Halterung belasten."
            ),
        ),
        input={"text": source, "from": "en", "to": "de"},
        tags=("translation",),
        metadata={"intent": "translation", "locale": "de-DE", "glossary_version": 7},
    )


def description_to_japanese(case: Variation) -> Scenario:
    source = "Aria bookshelf speakers. 80 watts, real walnut, five years of warranty. Made in small numbers in Porto."
    return Scenario(
        agent="translator",
        provider_format="openai",
        model="gpt-4o-mini",
        system=TRANSLATOR + " Target language: Japanese, for a product page.",
        steps=(
            Fetch(
                "load_glossary",
                {"to": "ja"},
                {"bookshelf speakers": "ブックシェルフスピーカー", "walnut": "ウォールナット"},
            ),
            User(source),
            Say(
                "Aria ブックシェルフスピーカー。出力80ワット、天然ウォールナット材、5年保証。ポルトの工房で少量ずつ製"
                "作しています。"
            ),
        ),
        input={"text": source, "from": "en", "to": "ja"},
        tags=("translation",),
        metadata={"intent": "translation", "locale": "ja-JP", "glossary_version": 7},
    )
